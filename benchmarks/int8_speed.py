"""Forward passes of MLPerf Tiny's int8 files next to the runtimes of such files and of their float networks.

    python benchmarks/int8_speed.py                          # 1 and 2 threads, 10 seconds each
    python benchmarks/int8_speed.py --only images --threads 1

Ours and LiteRT run the int8 file itself, each runtime's rounding in a column of its own; the others the float file of
the same network, or what ONNX Runtime's quantizer makes of it. The calls take turns, batch 64, real samples. Needs the
data and the extras [torch], [ort] and [bench].
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from ai_edge_litert.interpreter import Interpreter
from common import DATA, table, write
from int8_data import FILES, real_samples

from stepforward.bench import openvino, ort
from stepforward.bench.timing import interleave
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.engines.torch import TorchEngine
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source

BATCH, CALIBRATION = 64, 32
OURS = ("litert", "tflm")
FOLDER = DATA / "pretrained" / "mlperf_tiny"
FLOAT = {
    "keywords (DS-CNN)": "kws_dscnn_float",
    "images (ResNet-8)": "resnet8_cifar10_float",
    "people (MobileNetV1)": "vww_96_float",
}
Call = Callable[[], object]


def ours(path: Path, runtime: str, x: np.ndarray, threads: int) -> Call:
    """The core on an int8 file, in the rounding of a runtime."""
    program = lower(open_source(path, runtime=runtime).network())
    engine, batch = CoreEngine(program, threads=threads), Batch.of(quantize_input(program, x))
    return lambda: engine.outputs(batch)


def litert(path: Path, x: np.ndarray, threads: int) -> Call:
    """LiteRT with XNNPACK on the same file, for whole batches."""
    interpreter = Interpreter(str(path), num_threads=threads)
    (source,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(source["index"], x.shape, strict=False)
    interpreter.allocate_tensors()
    scale, zero_point = source["quantization"]
    interpreter.set_tensor(
        source["index"], np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    )
    return interpreter.invoke


def calls(network: str, folder: Path, threads: int) -> dict[str, Call]:
    """Everything that is timed, by name."""
    path = FOLDER / f"{FILES[network]}.tflite"
    opened = open_source(FOLDER / f"{FLOAT[network]}.tflite")
    x = real_samples(network, (), max(BATCH, CALIBRATION))[:BATCH]
    model = folder / "float.onnx"
    onnx.save(ir.to_proto(opened.model), model)
    int8 = ort.quantize_for_ort(model, x[:CALIBRATION])
    torch.set_num_threads(threads)
    engine, batch = TorchEngine(opened.float_model(), ()), Batch.of(x)
    return {
        **{f"stepforward int8, {name}": ours(path, name, x, threads) for name in OURS},
        "LiteRT int8": litert(path, x, threads),
        "OpenVINO int8": openvino.forward(int8, x, threads),
        "ONNX Runtime int8": ort.forward(int8, x, threads),
        "torch float32": lambda: engine.outputs(batch),
        "ONNX Runtime float32": ort.forward(model, x, threads),
        "OpenVINO float32": openvino.forward(model, x, threads),
    }


def rows(network: str, threads: int, seconds: float) -> list[dict]:
    """Milliseconds of a sample, and how often ours fit into a peer's time."""
    with tempfile.TemporaryDirectory() as folder:
        timed = interleave(calls(network, Path(folder), threads), seconds)
    return [
        {
            "network": network,
            "threads": threads,
            "peer": name,
            "milliseconds": round(1000 * timing.median / BATCH, 4),
            **{
                runtime: round(timing.median / timed[f"stepforward int8, {runtime}"].median, 2)
                for runtime in OURS
            },
            "others": round(timing.others, 2),
        }
        for name, timing in timed.items()
    ]


def main() -> None:
    """Measure, print, write down."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = {name.split()[0]: name for name in FLOAT}
    arguments.add_argument("--only", nargs="+", default=list(names), choices=list(names))
    arguments.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    arguments.add_argument("--seconds", type=float, default=10)
    given = arguments.parse_args()
    found = [
        row
        for name in given.only
        for threads in given.threads
        for row in rows(names[name], threads, given.seconds)
    ]
    heads = {
        "network": "network", "threads": "threads", "peer": "what runs it", "milliseconds": "ms a sample",
        "litert": "over ours, litert", "tflm": "over ours, tflm", "others": "others' share of the machine",
    }  # fmt: skip
    print(table(found, heads))
    if given.only == list(names):
        write("int8_speed", {"batch": BATCH, "seconds": given.seconds, "rows": found})


if __name__ == "__main__":
    main()
