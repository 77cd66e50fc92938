"""From the user's samples to the integers a program reads."""

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError
from stepforward.program.model import Program


def quantize_input(program: Program, x: NDArray[np.floating]) -> NDArray[np.int8]:
    """Samples in the network's input format.

    Args:
        program: whose input format to use.
        x: float samples, ONNX order, shape (n, C, H, W).

    Returns:
        s8, shape (n, H, W, C): `round(x / scale) + zero_point`, half to even as in ONNX QuantizeLinear, saturated.

    Raises:
        StepforwardError: wrong shape, or NaN or Inf.
    """
    tensor = program.tensors[program.input]
    height, width, channels = tensor.shape
    if x.ndim != 4 or x.shape[1:] != (channels, height, width):
        raise StepforwardError(
            f"the data has samples of shape {tuple(x.shape[1:])}, "
            f"the network reads {(channels, height, width)} (C, H, W)",
            "check the preprocessing in the model's metadata, or reshape the data",
        )
    bad = ~np.isfinite(x).all(axis=(1, 2, 3))
    if bad.any():
        raise StepforwardError(f"sample {int(np.argmax(bad))} holds NaN or Inf", "remove or repair it")
    q = np.rint(x.astype(np.float32) / np.float32(tensor.scale[0])) + tensor.zero_point
    return np.ascontiguousarray(np.clip(q, -128, 127).astype(np.int8).transpose(0, 2, 3, 1))
