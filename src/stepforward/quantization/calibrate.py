"""Run user data through the float network and note the range of every activation."""

import numpy as np
import onnx_ir as ir

from stepforward.data.rows import finite_rows
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.nodes import present
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.fusion import quantized_values
from stepforward.quantization.observers import Extremes, Histogram, mse_magnitude, percentile_magnitude
from stepforward.quantization.wide import wide_values


def calibrate(
    graph: ir.Graph, x: np.ndarray, settings: QuantizationSettings
) -> dict[str, tuple[float, float]]:
    """Smallest value seen and magnitude to represent, for every quantized value of a canonical graph.

    Args:
        x: float32 samples (N, C, H, W), as the network will see them.

    Returns:
        value name -> (smallest value, magnitude). The network's output always keeps its largest magnitude, because
        clipped logits would flatten the loss, and so does what has 16 bits.

    Raises:
        StepforwardError: x has another shape or type, holds NaN or Inf, or makes the network overflow.
    """
    x = check_samples(graph, x)
    names = {present(value.name) for value in quantized_values(graph)}
    extremes = {name: Extremes() for name in names}

    def note_extremes(name, values):
        if not np.isfinite(values).all():
            raise StepforwardError(
                f"the float network gives NaN or Inf at {name!r} on the calibration data",
                "check the preprocessing (is the data scaled as in training?) and the model's weights",
            )
        if name in names:
            extremes[name].see(values)

    with np.errstate(over="ignore", invalid="ignore"):
        run(graph, x, note_extremes)
    magnitudes = {name: seen.magnitude for name, seen in extremes.items()}
    if settings.method != "minmax":
        output = graph.outputs[0].name
        whole = {output, *wide_values(graph, settings.wide)}
        wanted = {name: Histogram(top) for name, top in magnitudes.items() if top > 0 and name not in whole}
        run(graph, x, lambda name, values: wanted[name].see(values) if name in wanted else None)
        for name, histogram in wanted.items():
            magnitudes[name] = _narrow(histogram, extremes[name].lo >= 0, settings)
    return {name: (extremes[name].lo, magnitudes[name]) for name in magnitudes}


def check_samples(graph: ir.Graph, x: np.ndarray) -> np.ndarray:
    """`x` as float32 if it fits the model's input.

    Raises:
        StepforwardError: it has another shape or type, or holds NaN or Inf.
    """
    x = np.asarray(x)
    value = graph.inputs[0]
    expected = tuple(present(value.shape).dims[1:])
    if x.shape[1:] != expected or x.ndim != len(expected) + 1:
        raise StepforwardError(
            f"the data has shape {x.shape}, but the model's input {value.name!r} is (N, "
            f"{', '.join(map(str, expected))})",
            "check the image size and the order of the axes: channels come before height and width",
        )
    if len(x) == 0:
        raise StepforwardError("there are no samples", "give at least one; 100 or more calibrate well")
    if x.dtype.kind != "f":
        raise StepforwardError(
            f"the data has type {x.dtype}, not float32",
            "apply the preprocessing that the model was trained with",
        )
    bad = np.flatnonzero(~finite_rows(x))
    if len(bad):
        raise StepforwardError(
            f"sample {bad[0]} of the data contains NaN or Inf ({len(bad)} of {len(x)} samples do)",
            "remove or repair these samples",
        )
    return x.astype(np.float32, copy=False)


def _narrow(histogram, non_negative, settings):
    if settings.method == "percentile":
        magnitude = percentile_magnitude(histogram, settings.percentile)
    else:
        magnitude = mse_magnitude(histogram, 255 if non_negative and not settings.symmetric else 127)
    # A tensor that is almost always zero must not lose the few values it has.
    return magnitude if magnitude > histogram.limit / 1024 else histogram.limit
