"""Layers whose weights the file does not hold as such: they pick parts of a tensor, or multiply its channels.

Their parameters stay as they are. A sum of one product by a weight of 1 in the output's own scale rounds to itself in
every runtime's rounding.
"""

from typing import Any

import numpy as np

from stepforward.network.network import Format, Parameter
from stepforward.quantization.parameters import bias_scale


def layer(q: np.ndarray, scale: float, x: Format, name: str) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution whose weight is constant and whose bias is 0.

    Args:
        q: integers (outputs, inputs of a group, KH, KW).
        scale: of one step of the weight.
        x: format of the input.
        name: of the tensor that the layer computes.
    """
    dtype = "s8" if np.abs(q).max() < 128 else "s16"
    weight = Parameter(f"{name} constants", q.astype(np.int64), dtype, (scale,), frozen=True)
    of_bias = tuple(float(s) for s in bias_scale(x.scale, np.array(weight.scale)))
    bias = Parameter(f"{name} without bias", np.zeros(len(q), np.int64), "s32", of_bias, frozen=True)
    return weight, bias


def window(kernel: tuple[int, int], strides: tuple[int, int], group: int) -> dict[str, Any]:
    """Attributes of a convolution without padding."""
    return {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": (0, 0, 0, 0),
        "dilations": (1, 1),
        "group": group,
    }


def places(
    x: Format, first: tuple[int, int], step: tuple[int, int], count: tuple[int, int]
) -> tuple[np.ndarray, dict]:
    """Weights and attributes of the convolution that keeps `count` rows and columns of an image, from `first` on."""
    kernel = tuple(size - (n - 1) * s for size, n, s in zip(x.shape[1:], count, step, strict=True))
    q = np.zeros((x.shape[0], 1, *kernel), np.int64)
    q[:, :, first[0], first[1]] = 1
    return q, window((kernel[0], kernel[1]), step, x.shape[0])


def channels(x: Format, first: int, step: int, count: int) -> tuple[np.ndarray, dict]:
    """The same for channels."""
    q = np.zeros((count, x.shape[0], 1, 1), np.int64)
    q[np.arange(count), first + step * np.arange(count)] = 1
    return q, window((1, 1), (1, 1), 1)
