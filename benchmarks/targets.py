"""What the project set out to reach, next to what was measured: figures and reasons come from the results alone."""

import statistics
from collections.abc import Callable, Iterable
from typing import NamedTuple

from speed_tables import EXPLAINED, WITHIN, difference

PEER_NETWORKS = ("resnet20", "ds_cnn", "mobilenet_v1", "conv4")
THREADS = 2
SMALL_BATCH = 16

LONG = 576
"""Products per output from which a convolution counts as the kernel's own work."""

DEVICES = {"M4 DSP": {"dense": 3.3, "conv": 4.0}, "M55 Helium": {"dense": 0.6, "conv": 0.9}}


class Target(NamedTuple):
    """One line: what was asked, what was measured, whether it is met (None: not measured), and why not."""

    target: str
    measured: str
    met: bool | None
    why: str = ""


class Value(NamedTuple):
    """A figure of one network or case, and what bounds or explains it."""

    name: str
    text: str
    met: bool
    why: str = ""


def targets(
    speed: dict, demo: dict | None = None, device: dict | None = None, peers: dict | None = None
) -> list[Target]:
    """All targets.

    Args:
        speed: of `bench.full`.
        demo: of benchmarks/time_to_accuracy.py.
        device: of benchmarks/device_instructions.py.
        peers: of `bench.full` with the extra bench; where there is none, `speed` may hold these peers.
    """
    others = peers or speed
    zs = "making z of all directions on all threads, as a share of two forwards"
    return [
        _against(speed, "forward at least 2 times as fast as torch float32", "forward_vs_torch_f32", 2.0),
        _told(speed, "the same, torch in channels-last layout", "forward_vs_torch_f32_channels_last"),
        _against(speed, "forward at least as fast as ONNX Runtime float32", "forward_vs_ort_f32", 1.0),
        _told(speed, "forward against ONNX Runtime int8", "forward_vs_ort_int8"),
        _told(speed, "the same with 8-bit weights", "forward_8bit_vs_ort_int8"),
        _against(
            others, "forward at least 1.7 times as fast as OpenVINO float32", "forward_vs_openvino_f32", 1.7
        ),
        _told(others, "forward against OpenVINO int8", "forward_vs_openvino_int8"),
        _against(
            others,
            "forward with 8-bit weights at least 1.5 times as fast as OpenVINO int8",
            "forward_8bit_vs_openvino_int8",
            1.5,
        ),
        _told(others, "forward against LiteRT with XNNPACK, int8", "forward_vs_litert_int8"),
        _told(others, "the same with 8-bit weights", "forward_8bit_vs_litert_int8"),
        _line("step / two forwards at most 1.05, batch 64", _over_forwards(speed, EXPLAINED, 1.05), zs),
        _line("step / two forwards at most 1.15, batch 16", _over_forwards(speed, SMALL_BATCH, 1.15), zs),
        _against(speed, "step at least 8 times as fast as backpropagation", "step_vs_backprop", 8.0),
        _told(speed, "the same, torch in channels-last layout", "step_vs_backprop_channels_last"),
        _against(speed, "step at least 3 times as fast as MeZO", "step_vs_mezo", 3.0),
        _told(
            speed,
            "one direction on the whole batch, as the paper: step / two forwards",
            "one_direction_vs_two_forwards",
        ),
        _told(speed, "one direction: backpropagation against a step", "one_direction_vs_backprop"),
        _line("step of `head` as its multiplications say, within 20 %", _head(speed)),
        _line("memory of adapting at most 1/10 of backpropagation's", _memory(speed)),
        _line(
            "demo: time to backpropagation's best less 2 points, at most its time to its best", _demo(demo)
        ),
        _line(f"multiply kernel at least 80 % of the peak, K from {LONG}", _kernel(speed)),
        _line("ResNet-20 forward at least 50 % of the peak", _resnet(speed)),
        *(_device(device, build, bounds) for build, bounds in DEVICES.items()),
    ]


def _line(target: str, values: Iterable[Value], because: str = "") -> Target:
    """A target over several values; `because` says what the reasons of those that miss it are."""
    values = list(values)
    if not values:
        return Target(target, "not measured", None)
    why = "; ".join(f"{value.name} {value.why}" for value in values if not value.met and value.why)
    measured = ", ".join(f"{value.name} {value.text}" for value in values)
    return Target(
        target, measured, all(value.met for value in values), f"{because}: {why}" if because and why else why
    )


def _cells(speed: dict, batch: int, networks: Iterable[str]) -> list[dict]:
    found = {c["network"]: c for c in speed["cells"] if (c["batch"], c["threads"]) == (batch, THREADS)}
    return [found[name] for name in networks if name in found]


def _floor(speed: dict, cell: dict) -> float | None:
    """Seconds of the multiply floor of one forward pass."""
    peak = next((p for p in speed["machine"]["peak"] if p["threads"] == cell["threads"]), None)
    left = speed["networks"][cell["network"]]["multiplications"]
    return peak and cell["batch"] * left / peak["macs_per_second"]


_CALLS = {
    "forward_vs_torch_f32": ("torch_f32_forward", "core_forward", 1),
    "forward_vs_ort_f32": ("ort_f32_forward", "core_forward", 1),
    "forward_vs_openvino_f32": ("openvino_f32_forward", "core_forward", 1),
    "forward_8bit_vs_openvino_int8": ("openvino_int8_forward", "core_8bit_forward", 1),
    "step_vs_backprop": ("backprop_step", "core_step", 2),
    "step_vs_mezo": ("mezo_step", "core_step", 2),
}
"""Figure -> peer, ours, forward passes in ours."""


def _against(speed: dict, target: str, figure: str, asked: float) -> Target:
    peer, ours, passes = _CALLS[figure]
    values = []
    for cell in _cells(speed, EXPLAINED, PEER_NETWORKS):
        if figure not in cell["ratios"]:  # a peer that was not installed
            continue
        ratio, floor, why = cell["ratios"][figure], _floor(speed, cell), ""
        if floor and ours != "core_8bit_forward":  # the peak is that of 16-bit products
            most = cell["seconds"][peer]["median"] / (passes * floor)
            why = f"{most:.1f} ({passes * floor / cell['seconds'][ours]['median']:.0%})"
        values.append(Value(cell["network"], f"{ratio:.2f}", ratio >= asked, why))
    return _line(target, values, "at most (share of the peak reached)")


def _told(speed: dict, what: str, figure: str) -> Target:
    """Figures that nothing was asked of."""
    ratios = {c["network"]: c["ratios"].get(figure) for c in _cells(speed, EXPLAINED, PEER_NETWORKS)}
    found = [f"{name} {ratio:.2f}" for name, ratio in ratios.items() if ratio]
    return Target(f"({what})", ", ".join(found) or "not measured", None)


def _over_forwards(speed: dict, batch: int, asked: float) -> Iterable[Value]:
    for cell in _cells(speed, batch, speed["networks"]):
        ratio, two = cell["ratios"]["step_vs_two_forwards"], 2 * cell["seconds"]["core_forward"]["median"]
        making = speed["networks"][cell["network"]]["step"]["generate_once"] / THREADS / two
        why = f"{making:.1%}"
        yield Value(cell["network"], f"{ratio:.2f}", round(ratio, 2) <= asked, why)


def _head(speed: dict) -> Iterable[Value]:
    forward = {
        c["network"]: c["seconds"]["core_forward"]["median"]
        for c in _cells(speed, EXPLAINED, speed["networks"])
    }
    for row in speed["scaling"]["trainable"]:
        if row["train"] == "last:1":
            apart, more = difference(row), row["seconds"] - forward.get(row["network"], row["seconds"])
            why = f"({1e3 * more:.2f} ms next to its one forward pass)"
            if apart < 0:
                why = "(an `all` step also moves the other weights)"
            yield Value(row["network"], f"{apart:+.0%}", abs(apart) <= WITHIN, why)


def _memory(speed: dict) -> Iterable[Value]:
    for name, facts in speed["networks"].items():
        ratio = facts["memory"]["backprop"]["above"] / facts["memory"]["core"]["above"]
        yield Value(name, f"1/{ratio:.0f}", ratio >= 10)


def _demo(demo: dict | None) -> Iterable[Value]:
    for row in demo["summary"] if demo else ():
        ratio = row["ratio"]
        text = "not reached" if ratio is None else f"{ratio:.1f}"
        reached = f"{row['reached']} of {row['seeds']} seeds get there, {_steps(row)}"
        default = "not reached" if row["ratio_default"] is None else f"{row['ratio_default']:.1f}"
        why = f"{reached}; default settings {default}"
        yield Value(f"batch {row['batch']}", text, ratio is not None and ratio <= 1, why)


def _steps(row: dict) -> str:
    if row["steps"] is None:
        return "more than half do not"
    return f"in {row['steps'] / row['backprop_steps']:.0f} times the steps of backpropagation"


def _kernel(speed: dict) -> Iterable[Value]:
    rows = [row for row in speed.get("kernel", []) if row["products"] >= LONG]
    for count in sorted({row["threads"] for row in rows}):
        shares = [row["share"] for row in rows if row["threads"] == count]
        middle = statistics.median(shares)
        text = f"{middle:.0%} ({min(shares):.0%} to {max(shares):.0%})"
        yield Value(f"{count} thread{'s' * (count > 1)}", text, middle >= 0.8)


def _resnet(speed: dict) -> Iterable[Value]:
    for cell in _cells(speed, EXPLAINED, ["resnet20"]):
        if floor := _floor(speed, cell):
            share, facts = floor / cell["seconds"]["core_forward"]["median"], speed["networks"]["resnet20"]
            counted = share * facts["macs"] / facts["multiplications"]
            text = f"{share:.0%} ({counted:.0%} if all multiply-accumulates are counted)"
            yield Value("resnet20", text, share >= 0.5)


def _device(device: dict | None, build: str, bounds: dict[str, float]) -> Target:
    """Instructions per product of the largest dense layer and the largest convolution of the firmware's kernel run."""
    asked = f"{bounds['dense']:g} (dense) and {bounds['conv']:g} (3x3 convolution)"
    title = f"Cortex-{build}: instructions per product at most {asked}"
    return _line(title, _device_values(device, build, bounds) if device else ())


def _device_values(device: dict, build: str, bounds: dict[str, float]) -> Iterable[Value]:
    run = device["runs"]["kernels"]
    for name, kind in {"dense": "fully_connected", "conv": "conv"}.items():
        largest: Callable[[int], int] = run["products"].__getitem__
        index = max((i for i, k in enumerate(run["operators"]) if k == kind), key=largest)
        stored, _perturbed = run["builds"][build]["operators"][index]
        ratio = stored / run["products"][index]
        yield Value({"dense": "dense", "conv": "3x3"}[name], f"{ratio:.2f}", ratio <= bounds[name])
