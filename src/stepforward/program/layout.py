"""Stored layout against ONNX layout: images are HWC here and CHW there, and weights follow."""

import numpy as np
from numpy.typing import NDArray

STORED_OF = {1: (0,), 2: (0, 1), 3: (2, 0, 1), 4: (0, 1, 2, 3)}
"""Stored axis of each ONNX axis of a sample, by rank: C, H, W are stored axes 2, 0, 1."""

LOGICAL_OF = {1: (0,), 2: (0, 1), 3: (1, 2, 0), 4: (0, 1, 2, 3)}
"""ONNX axis of each stored axis."""


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a sample as it is stored.

    >>> stored_shape((3, 32, 24))
    (32, 24, 3)
    """
    return tuple(shape[axis] for axis in LOGICAL_OF[len(shape)])


def same_order(shape: tuple[int, ...]) -> bool:
    """Whether a sample of this ONNX shape lies in memory in the same order in both layouts."""
    return len(shape) != 3 or shape[0] == 1 or shape[1] * shape[2] == 1


def stored_permutation(perm: tuple[int, ...]) -> tuple[int, ...]:
    """An ONNX permutation of a sample's axes, in stored axes."""
    rank = len(perm)
    return tuple(STORED_OF[rank][perm[logical]] for logical in LOGICAL_OF[rank])


def weight_to_stored(kind: str, q: NDArray[np.integer]) -> NDArray[np.integer]:
    """Convolution (O, I, KH, KW) to (O, KH, KW, I); depthwise (C, 1, KH, KW) to (KH, KW, C); others as they are."""
    if kind == "conv":
        return q.transpose(0, 2, 3, 1)
    return q[:, 0].transpose(1, 2, 0) if kind == "depthwise" else q


def weight_to_onnx(kind: str, q: NDArray[np.integer]) -> NDArray[np.integer]:
    """The inverse of `weight_to_stored`."""
    if kind == "conv":
        return q.transpose(0, 3, 1, 2)
    return q.transpose(2, 0, 1)[:, None] if kind == "depthwise" else q
