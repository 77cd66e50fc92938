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
        saturated.

    Raises:
        StepforwardError: wrong shape, or NaN or Inf.
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
    q = np.rint(x.astype(np.float32) / np.float32(tensor.scale[0])) + tensor.zero_point
    stored = (0, *(axis + 1 for axis in LOGICAL_OF[rank]))
    return np.ascontiguousarray(np.clip(q, -128, 127).astype(np.int8).transpose(stored))
