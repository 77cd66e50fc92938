"""The operators (contract, section 4), for a batch: activations (n, H, W, C) or (n, C), int64 throughout."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from stepforward.reference.fixedpoint import Int, clamp, requantize

if TYPE_CHECKING:  # the definition stands below the program and imports nothing of it
    from stepforward.program.model import Op, Tensor


def _pairs(op: Op) -> tuple[Int, Int]:
    pairs = np.array(op.rescale, dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def _finish(acc: Int, op: Op, y: Tensor) -> Int:
    return requantize(acc, *_pairs(op), y.zero_point, op.lo, op.hi)


def _taps(x: Int, op: Op, y: Tensor, fill: int):
    """The samples under each kernel tap, (n, out_h, out_w, C), with padding filled; yields ((ky, kx), samples)."""
    top, left, bottom, right = op.padding
    (kh, kw), (sh, sw), (dh, dw) = op.kernel, op.stride, op.dilation
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    out_h, out_w = y.shape[0], y.shape[1]
    for ky, kx in product(range(kh), range(kw)):
        rows = slice(ky * dh, ky * dh + (out_h - 1) * sh + 1, sh)
        columns = slice(kx * dw, kx * dw + (out_w - 1) * sw + 1, sw)
        yield (ky, kx), padded[:, rows, columns]


def conv(x: Int, w: Int, b: Int, op: Op, x_tensor: Tensor, y: Tensor) -> Int:
    """Convolution: w is (O, KH, KW, I/groups), stride, padding, dilation and groups from the operator."""
    outputs, group_in = w.shape[0], w.shape[3]
    group_out = outputs // op.groups
    acc = np.broadcast_to(b, (len(x), *y.shape)).copy()
    for (ky, kx), tap in _taps(x - x_tensor.zero_point, op, y, 0):
        for g in range(op.groups):
            inputs = tap[..., g * group_in : (g + 1) * group_in]
            rows = slice(g * group_out, (g + 1) * group_out)
            acc[..., rows] += inputs @ w[rows, ky, kx].T
    return _finish(acc, op, y)


def depthwise(x: Int, w: Int, b: Int, op: Op, x_tensor: Tensor, y: Tensor) -> Int:
    """Depthwise convolution: w is (KH, KW, C)."""
    acc = np.broadcast_to(b, (len(x), *y.shape)).copy()
    for (ky, kx), tap in _taps(x - x_tensor.zero_point, op, y, 0):
        acc += tap * w[ky, kx]
    return _finish(acc, op, y)


def fully_connected(x: Int, w: Int, b: Int, op: Op, x_tensor: Tensor, y: Tensor) -> Int:
    """Fully connected: w is (O, I)."""
    return _finish((x - x_tensor.zero_point).reshape(len(x), -1) @ w.T + b, op, y)


def add(inputs: list[Int], op: Op, tensors: list[Tensor], y: Tensor) -> Int:
    """Sum of two tensors, both rescaled, rounded once."""
    mult, shift = _pairs(op)
    acc = sum((x - t.zero_point) * m for x, t, m in zip(inputs, tensors, mult, strict=True))
    return requantize(acc, 1, shift[0], y.zero_point, op.lo, op.hi)


def rescale(x: Int, op: Op, x_tensor: Tensor, y: Tensor) -> Int:
    """Change of format, or a stand-alone ReLU, ReLU6 or clip."""
    return _finish(x - x_tensor.zero_point, op, y)


def max_pool(x: Int, op: Op, y: Tensor) -> Int:
    """Largest value of each window; padding never wins."""
    best = np.full((len(x), *y.shape), np.iinfo(np.int64).min)
    for _, tap in _taps(x, op, y, int(best.flat[0])):
        best = np.maximum(best, tap)
    return clamp(best, op.lo, op.hi)


def average_pool(x: Int, op: Op, x_tensor: Tensor, y: Tensor) -> Int:
    """Mean of each window, over the counted samples."""
    acc = np.zeros((len(x), *y.shape), dtype=np.int64)
    count = np.zeros_like(acc)
    present = np.ones_like(x)
    for (_, tap), (_, here) in zip(
        _taps(x - x_tensor.zero_point, op, y, 0), _taps(present, op, y, 0), strict=True
    ):
        acc += tap
        count += here
    mult, shift = _pairs(op)
    which = count - 1 if len(mult) > 1 else np.zeros_like(count)
    return requantize(acc, mult[which], shift[which], y.zero_point, op.lo, op.hi)


def pad(x: Int, op: Op) -> Int:
    """Add a border of a given integer; `op.kernel` counts the channels before and after."""
    top, left, bottom, right = op.padding
    return np.pad(x, ((0, 0), (top, bottom), (left, right), op.kernel), constant_values=op.value)


def concat(inputs: list[Int], op: Op, tensors: list[Tensor], y: Tensor) -> Int:
    """Join tensors, each rescaled to the output's format."""
    parts = [
        requantize(x - t.zero_point, mult, shift, y.zero_point, op.lo, op.hi)
        for x, t, (mult, shift) in zip(inputs, tensors, op.rescale, strict=True)
    ]
    return np.concatenate(parts, axis=op.axis + 1)


def transpose(x: Int, op: Op) -> Int:
    """Permute the dimensions of a sample."""
    return x.transpose(0, *(axis + 1 for axis in op.permutation))


def reshape(x: Int, y: Tensor) -> Int:
    """The same integers in another shape."""
    return x.reshape(len(x), *y.shape)
