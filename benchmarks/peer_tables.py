"""Tables of what other runtimes take next to ours: convolutional networks on two machines, transformers, int8 files."""

from collections.abc import Callable

from common import table

PEERS = {
    "OpenVINO float32, our 16w8a": "forward_vs_openvino_f32",
    "OpenVINO int8, 16w8a": "forward_vs_openvino_int8",
    "OpenVINO int8, 8w8a": "forward_8bit_vs_openvino_int8",
    "LiteRT XNNPACK int8, 16w8a": "forward_vs_litert_int8",
    "LiteRT XNNPACK int8, 8w8a": "forward_8bit_vs_litert_int8",
}
"""Row -> a ratio of a cell of `stepforward bench`."""

CALLS = {
    "core_forward": "ours, 16w8a",
    "core_8bit_forward": "ours, 8w8a",
    "torch_f32_forward": "torch float32",
    "ort_f32_forward": "ONNX Runtime float32",
    "openvino_f32_forward": "OpenVINO float32",
    "ort_int8_forward": "ONNX Runtime int8",
    "openvino_int8_forward": "OpenVINO int8",
}


def peers(speed: dict) -> str:
    """Time of each peer over ours, a column for each network."""
    cells = speed["cells"]
    rows = [
        {"peer": peer, **{cell["network"]: f"{cell['ratios'][ratio]:.2f}" for cell in cells}}
        for peer, ratio in PEERS.items()
    ]
    networks = [cell["network"] for cell in cells]
    return table(rows, {"peer": "peer", **dict(zip(networks, networks, strict=True))})


def transformers(result: dict) -> str:
    """Milliseconds of a sample, and each peer's over ours."""
    rows = [
        {
            **row,
            "peer": CALLS[row["peer"]],
            "16w8a": f"{row['16w8a']:.2f}",
            "8w8a": f"{row['8w8a']:.2f}",
        }
        for row in result["rows"]
    ]
    heads = {
        "network": "network", "threads": "threads", "peer": "", "milliseconds": "ms a sample",
        "16w8a": "over 16w8a", "8w8a": "over 8w8a",
    }  # fmt: skip
    return table(rows, heads)


def int8_files(result: dict) -> str:
    """Each runtime's time over ours, in the rounding of LiteRT with XNNPACK and of TFLM; a column for each network."""
    rows: dict[tuple[int, str], dict] = {}
    for row in result["rows"]:
        own = rows.setdefault((row["threads"], row["peer"]), {"threads": row["threads"], "peer": row["peer"]})
        ratios = f"{row['litert']:.2f}, {row['tflm']:.2f}"
        own[row["network"]] = (
            f"{row['milliseconds']:.3f} ms" if row["peer"].startswith("stepforward") else ratios
        )
    networks = {row["network"]: row["network"] for row in result["rows"]}
    return table(list(rows.values()), {"threads": "threads", "peer": "", **networks})


def made(load: Callable[[str], dict]) -> dict[str, Callable[[], str]]:
    """Name of a table -> what makes it."""
    return {
        "peers": lambda: peers(load("speed_peers")),
        "peers_amx": lambda: peers(load("speed_peers_amx")),
        "transformers": lambda: transformers(load("transformer_speed")),
        "int8_files": lambda: int8_files(load("int8_speed")),
    }
