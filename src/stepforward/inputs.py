"""From the user's samples to the integers a program reads."""

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError
from stepforward.program.layout import LOGICAL_OF, STORED_OF
from stepforward.program.model import Program


def quantize_input(program: Program, x: NDArray[np.floating]) -> NDArray[np.int8]:
    """Samples in the network's input format.

    Args:
        program: whose input format to use.
        x: float samples, ONNX order, shape (n, C, H, W), or whatever else the network reads.

    Returns:
        s8, stored order, shape (n, H, W, C): `round(x / scale) + zero_point`, half to even as in ONNX QuantizeLinear,
        saturated. Where the program's metadata has `input_scaling`, `(x - offset) * factor` takes the place of x, one
        float32 offset and factor per channel: along axis 1, or along its `axis`.

    Raises:
        StepforwardError: wrong shape, NaN or Inf, or an `input_scaling` that does not fit the input.
    """
    tensor = program.tensors[program.input]
    rank = len(tensor.shape)
    shape = tuple(tensor.shape[axis] for axis in STORED_OF[rank])
    if x.shape[1:] != shape:
        raise StepforwardError(
            f"the data has samples of shape {tuple(x.shape[1:])}, the network reads {shape}",
            "check the preprocessing in the model's metadata, or reshape the data",
        )
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise StepforwardError(f"sample {int(np.argmax(bad))} holds NaN or Inf", "remove or repair it")
    with np.errstate(over="ignore"):  # what leaves float32's range saturates as Inf does in ONNX
        scaled = _scale_channels(program.metadata.get("input_scaling") or {}, x.astype(np.float32))
        q = np.rint(scaled / np.float32(tensor.scale[0])) + tensor.zero_point
    stored = (0, *(axis + 1 for axis in LOGICAL_OF[rank]))
    return np.ascontiguousarray(np.clip(q, -128, 127).astype(np.int8).transpose(stored))


def _scale_channels(scaling: dict, x: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        axis = scaling.get("axis", 1)
        if type(axis) is not int or axis not in (1, x.ndim - 1):
            raise ValueError("not an axis of channels")
        channels = tuple(size if other == axis else 1 for other, size in enumerate(x.shape))[1:]
        offset, factor = (
            _finite(scaling[name]).reshape(channels) if scaling.get(name) else None
            for name in ("offset", "factor")
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise StepforwardError(
            "the program's input_scaling is not one number per channel", "export the program again"
        ) from error
    if offset is not None:
        x = x - offset
    return x if factor is None else x * factor


def _finite(numbers: list) -> NDArray[np.float32]:
    array = np.array(numbers, np.float32)
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return array
