"""From the user's samples to the integers a program reads."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stepforward.data.rows import finite_rows, rows_of
from stepforward.errors import StepforwardError
from stepforward.network.runtimes import RUNTIMES
from stepforward.program.layout import LOGICAL_OF, STORED_OF
from stepforward.program.model import Program
from stepforward.program.weights import activation_type


def quantize_input(program: Program, x: NDArray[np.floating]) -> NDArray[np.integer]:
    """Samples in the network's input format.

    Args:
        program: whose input format to use.
        x: float samples, ONNX order, shape (n, C, H, W), or whatever else the network reads; (n, H, W, C) where its
            metadata say `channels_last`.

    Returns:
        s8 or s16, stored order, shape (n, H, W, C): `round(x / scale) + zero_point`, half to even as in ONNX
        QuantizeLinear, or half away from zero where its metadata name a runtime that does so; saturated. Where they
        have `input_scaling`, `(x - offset) * factor` takes the place of x, one float32 offset and factor per channel:
        along axis 1, or along its `axis`.

    Raises:
        StepforwardError: wrong shape, NaN or Inf, or an `input_scaling` that does not fit the input.
    """
    tensor = program.tensors[program.input]
    given, stored = sample_axes(program)
    shape = tuple(tensor.shape[axis] for axis in given)
    if x.shape[1:] != shape:
        raise StepforwardError(
            f"the data has samples of shape {tuple(x.shape[1:])}, the network reads {shape}",
            "check the preprocessing in the model's metadata, or reshape the data",
        )
    finite = finite_rows(x)
    if not finite.all():
        raise StepforwardError(f"sample {int(np.argmin(finite))} holds NaN or Inf", "remove or repair it")
    order, nearest = (0, *(axis + 1 for axis in stored)), _nearest(program)
    integers, first = np.empty((len(x), *tensor.shape), activation_type(tensor)), 0
    range_of = np.iinfo(integers.dtype)
    for block in rows_of(x).blocks():
        with np.errstate(over="ignore"):  # what leaves float32's range saturates as Inf does in ONNX
            scaled = _scale_channels(program.metadata.get("input_scaling") or {}, block.astype(np.float32))
            q = nearest(scaled / np.float32(tensor.scale[0])) + tensor.zero_point
        integers[first : first + len(block)] = np.clip(q, range_of.min, range_of.max).transpose(order)
        first += len(block)
    return integers


def sample_axes(program: Program) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For each axis of a sample as it is given the stored axis, and the other way round."""
    rank = len(program.tensors[program.input].shape)
    if program.metadata.get("channels_last") is True:
        return tuple(range(rank)), tuple(range(rank))
    return STORED_OF[rank], LOGICAL_OF[rank]


def _nearest(program: Program) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    runtime = RUNTIMES.get(program.metadata.get("runtime", ""))
    return np.rint if runtime is None or runtime.even else _away


def _away(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest integers, halves away from zero; exact, also just below a half."""
    whole = np.trunc(value)
    return whole + np.copysign(np.abs(value - whole) >= np.float32(0.5), value)


def _scale_channels(scaling: dict, x: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        axis = scaling.get("axis", 1)
        if type(axis) is not int or not 0 < axis < x.ndim:
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
