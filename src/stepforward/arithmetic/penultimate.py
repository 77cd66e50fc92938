"""The exact gradient of the layer before the last: errors through the last one, sums, a step (contract, section 10)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right
from stepforward.arithmetic.tail import LARGEST_INPUT, quotient

MOST_BITS, FEWEST_BITS = 14, 6
"""Bits of an error that has gone through the last layer, without its sign."""

SHARE = 1 / 256
"""How far a step moves weights, in their root mean square, at a tail's rate of one."""

CONSTANT_INPUT = 32
"""What a bias is multiplied with: an eighth of the range of an input of 8 bits."""

_MOST_GRADIENT, _ROOT_BITS = 2**29, 20


def most_rows(bits: int, positions: int) -> int:
    """Samples whose products with errors of so many bits fit an s32.

    >>> most_rows(9, 125)
    131
    """
    return (2**31 - 1) // (LARGEST_INPUT * positions << bits)


def passed_on(errors: Int, weight: NDArray[np.integer], shift: int, bits: int) -> Int:
    """Errors at the inputs of the last layer: the forward gradient along each input, whose response is a column.

    Args:
        errors: at its outputs, shape (n, classes).
        weight: of the last layer, shape (classes, inputs).
        shift: what the sums are divided by, a power of two.
        bits: of the result; what is larger is cut off.

    >>> passed_on(np.array([[100, -100]]), np.array([[7, 1], [3, 1]]), shift=2, bits=6)
    array([[63,  0]])
    """
    found = errors @ weight.astype(np.int64)
    return clamp(shift_right(found, shift) if shift else found, 1 - (1 << bits), (1 << bits) - 1)


@dataclass
class Sums:
    """What the samples of one step add up to; all zero between steps.

    Attributes:
        weight: products of errors and inputs, shape (channels, taps * inputs).
        bias: errors, shape (channels,).
    """

    weight: Int
    bias: Int

    @classmethod
    def empty(cls, channels: int, row: int) -> Sums:
        """Before the first sample of a step."""
        return cls(np.zeros((channels, row), dtype=np.int64), np.zeros(channels, dtype=np.int64))

    def add(self, patches: Int, open_: NDArray[np.bool_], errors: Int) -> None:
        """Add samples.

        Args:
            patches: what the weights were multiplied with at each position, shape (n, positions, row).
            open_: where an output lies between its limits and so moves with its sum, shape (n, positions, channels).
            errors: of the channels, the same at all positions, shape (n, channels).
        """
        found = open_ * errors[:, None, :]
        self.weight += np.einsum("npc,npi->ci", found, patches)
        self.bias += found.sum(axis=(0, 1))


def deviation(sums: Int) -> int:
    """The root mean square of the weights' sums, at least 1.

    >>> deviation(np.array([3, -4])), deviation(np.array([0, 0]))
    (3, 1)
    """
    size = np.abs(sums).reshape(-1)
    less = max(int(size.max()).bit_length() - _ROOT_BITS, 0)
    return max(math.isqrt(int(((size >> less) ** 2).sum()) // size.size) << less, 1)


def gradients(sums: Sums) -> tuple[Int, Int]:
    """What takes the place of the sum of votes in a step, in deviations of the weights' gradient, 15 fraction bits:
    the weight's, flat, and the bias's.

    One rate so suits every layer, whatever the size of its inputs and of the weights after it; a schedule alone
    makes steps smaller.
    """
    by = deviation(sums.weight)
    both = (quotient(sums.weight.reshape(-1), by), quotient(sums.bias, by))
    return both[0], clamp(both[1], -_MOST_GRADIENT, _MOST_GRADIENT)
