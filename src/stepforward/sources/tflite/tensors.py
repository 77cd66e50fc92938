"""Tensors of a file as formats and parameters, each held to what the arithmetic can hold."""

import math
from dataclasses import replace

import numpy as np

from stepforward.network.network import Q_MAX, Format, Parameter
from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.ends import Body
from stepforward.sources.tflite.file import CONTROL_FLOW, Operator, Tensor, TfliteFile

_RELU, _RELU_N1_TO_1, _RELU6 = 1, 2, 3
_CLIPS = {
    0: (None, None),
    _RELU: (0.0, None),
    _RELU_N1_TO_1: (-1.0, 1.0),
    _RELU6: (0.0, 6.0),
}


def steps_of(tensor: Tensor) -> Format:
    """The format of a constant that is no parameter, but for its shape."""
    if len(tensor.scale) != 1 or len(tensor.zero_point) != 1:
        raise UnreadableError(f"{tensor.name} does not have one scale and one zero point")
    (scale,), (zero_point,) = tensor.scale, tensor.zero_point
    if not (math.isfinite(scale) and scale > 0) or not -128 <= zero_point <= 127:
        raise UnreadableError(f"the scale of {tensor.name} is {scale:g}, its zero point {zero_point}")
    return Format(scale, zero_point, "s8", ())


def format_of(tensor: Tensor) -> Format:
    """The format of an activation."""
    if tensor.variable:
        raise UnreadableError(f"{tensor.name} is a state that is kept between calls")
    if tensor.type != "INT8":
        hybrid = tensor.type == "FLOAT32"
        what = "hybrid or not quantized: quantize it fully, activations too" if hybrid else "not INT8"
        raise UnreadableError(f"{tensor.name} is {tensor.type} ({what})")
    steps = steps_of(tensor)
    batch, *shape = tensor.shape or (0,)
    if batch != 1 or not 1 <= len(shape) <= 4 or min(shape) < 1:
        raise UnreadableError(f"{tensor.name} has shape {tensor.shape}: give a batch of 1, and 2 to 5 axes")
    channels_first = (shape[2], shape[0], shape[1]) if len(shape) == 3 else tuple(shape)
    return replace(steps, shape=channels_first)


def weight_of(tensor: Tensor, q: np.ndarray, axis: int, frozen: bool) -> Parameter:
    """A weight with its outputs first."""
    if q.ndim != (2 if axis == 0 and q.ndim == 2 else 4):
        raise UnreadableError(f"its weight {tensor.name} has shape {q.shape}")
    if axis == 3 and len(q) != 1:
        raise UnreadableError(f"its weight {tensor.name} has shape {q.shape}, not one row")
    outputs = q.shape[axis]
    if any(tensor.zero_point):
        raise UnreadableError(
            f"its weight {tensor.name} is asymmetric: a zero point other than 0 (convert to symmetric int8)"
        )
    scales = np.array(tensor.scale)
    if scales.size not in (1, outputs) or not (np.isfinite(scales) & (scales > 0)).all():
        raise UnreadableError(
            f"the scales of its weight {tensor.name} are not positive, or not one per output"
        )
    if scales.size > 1 and tensor.axis != axis:
        raise UnreadableError(
            f"the scales of its weight {tensor.name} count axis {tensor.axis}, not its outputs"
        )
    if q.size == 0 or q.min() < -Q_MAX["s8"]:
        raise UnreadableError(f"its weight {tensor.name} is empty, or holds -128 (convert to symmetric int8)")
    if q.ndim == 4:
        q = q.transpose(0, 3, 1, 2) if axis == 0 else q[0].transpose(2, 0, 1)[:, None]
    return Parameter(tensor.name, q.astype(np.int64), "s8", tensor.scale, frozen)


def check_images(x: Format, y: Format) -> None:
    """Refuse what is no image."""
    if len(x.shape) != 3 or len(y.shape) != 3:
        raise UnreadableError(
            f"it reads {x.shape} and writes {y.shape}: height, width and channels are needed"
        )


def check_same_steps(x: Format, y: Format) -> None:
    """Refuse a change of format."""
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise UnreadableError("its input and output differ in scale or zero point: equal formats are needed")


def clip_of(operator: Operator) -> tuple[float | None, float | None]:
    """The bounds of a fused activation, as real numbers."""
    activation = operator.options.get("FusedActivationFunction", 0)
    if activation not in _CLIPS:
        raise UnreadableError(f"its fused activation {activation} is none of RELU, RELU6 and RELU_N1_TO_1")
    return _CLIPS[activation]


def why_not(code: str) -> str:
    """Why there is no such operator."""
    if code.startswith("custom "):
        return "a custom operator, which only its own runtime knows"
    if code in CONTROL_FLOW:
        return "control flow"
    return "not supported"


def shared_constants(file: TfliteFile, found: Body) -> set[int]:
    """Constants that share their bytes with another that some operator reads."""
    readers: dict[int, set[int]] = {}
    for operator in found.operators:
        for number in operator.inputs:
            if number >= 0 and file.tensors[number].place is not None:
                readers.setdefault(file.tensors[number].buffer, set()).add(number)
    return {number for numbers in readers.values() if len(numbers) > 1 for number in numbers}


def stays(tensor: Tensor) -> str:
    """The note about a constant that cannot change."""
    return f"{tensor.name} shares its bytes in the file with another tensor, and stays as it is"
