"""Operators that slide a window over an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from stepforward.arithmetic.fixedpoint import Int
from stepforward.operators.operator import Operator

if TYPE_CHECKING:
    from stepforward.program.model import Tensor


@dataclass(frozen=True, kw_only=True)
class Window(Operator):
    """An operator with a window.

    Attributes:
        kernel, stride, dilation: (height, width).
        padding: top, left, bottom, right.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def taps(self, x: Int, y: Tensor, fill: int) -> Iterator[tuple[tuple[int, int], Int]]:
        """The samples under each tap, (n, out_h, out_w, C), with padding filled; yields ((ky, kx), samples)."""
        top, left, bottom, right = self.padding
        (kh, kw), (sh, sw), (dh, dw) = self.kernel, self.stride, self.dilation
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
        out_h, out_w = y.shape[0], y.shape[1]
        for ky, kx in product(range(kh), range(kw)):
            rows = slice(ky * dh, ky * dh + (out_h - 1) * sh + 1, sh)
            columns = slice(kx * dw, kx * dw + (out_w - 1) * sw + 1, sw)
            yield (ky, kx), padded[:, rows, columns]

    def products(self, weight: Tensor, y: Tensor) -> int:
        """Every weight at every position."""
        return weight.elements * y.shape[0] * y.shape[1]
