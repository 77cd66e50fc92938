"""The exact gradient of the last layer: sums over samples, and the step they make (contract, section 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, multiply, shift_right
from stepforward.arithmetic.loss import exp2_negative

MOST_BITS = 14
"""Fraction bits of an error, which is s16."""

LARGEST_INPUT = 255
"""Of an s8 input without its zero point."""


def most_rows(bits: int) -> int:
    """Samples whose products with errors of so many bits fit an s32.

    >>> most_rows(14), most_rows(13)
    (514, 1028)
    """
    return (2**31 - 1) // (LARGEST_INPUT << bits)


def errors(logits: NDArray[np.integer], labels: NDArray[np.integer], mult: int, shift: int, bits: int) -> Int:
    """Softmax less one at the label, `bits` fraction bits, shape (n, classes).

    Args:
        logits: integers, shape (n, classes).
        labels: shape (n,), in 0 .. classes-1.
        mult, shift: of the objective, as `arithmetic.loss.cross_entropy` takes them.
        bits: of the fraction, 0 to 14.

    >>> errors(np.array([[0, 0]]), np.array([1]), 32768, 0, bits=14)
    array([[ 8192, -8192]])
    """
    logits = logits.astype(np.int64)
    powers = exp2_negative(multiply(logits.max(axis=1, keepdims=True) - logits, mult, shift))
    total = powers.sum(axis=1, keepdims=True)
    found = ((powers << bits) + (total >> 1)) // total
    found[np.arange(len(labels)), labels] -= 1 << bits
    return found


@dataclass
class Sums:
    """What the samples of one step add up to; all zero between steps.

    Attributes:
        weight: products of errors and inputs, shape (classes, inputs).
        bias: errors, shape (classes,).
        energy: of the inputs: their squares, and one for each sample.
        rows: samples.
    """

    weight: Int
    bias: Int
    energy: int = 0
    rows: int = 0

    @classmethod
    def empty(cls, classes: int, inputs: int) -> Sums:
        """Before the first sample of a step."""
        return cls(np.zeros((classes, inputs), dtype=np.int64), np.zeros(classes, dtype=np.int64))

    def add(self, x: Int, found: Int) -> None:
        """Add samples.

        Args:
            x: inputs of the layer without their zero point, shape (n, inputs).
            found: their errors, shape (n, classes).
        """
        self.weight += found.T @ x
        self.bias += found.sum(axis=0)
        self.energy += len(x) + int((x * x).sum())
        self.rows += len(x)

    def gradient(self, of_bias: bool) -> Int:
        """What takes the place of the sum of votes in a step, flat, with 15 + bits fraction bits.

        The weight's is divided by the energy of the inputs, so that no step depends on their size; the bias's by the
        number of samples.
        """
        if of_bias:
            return quotient(self.bias, self.rows)
        return quotient(self.weight.reshape(-1), self.energy)


def quotient(sums: Int, divisor: int) -> Int:
    """`sums * 2^15 / divisor` by a reciprocal of 16 bits; 0 where nothing was added.

    >>> quotient(np.array([300, -300]), 3)
    array([ 3276750, -3276750])
    """
    if divisor == 0:
        return np.zeros_like(sums)
    k = divisor.bit_length()
    normal = divisor << (32 - k) if k <= 32 else divisor >> (k - 32)
    return shift_right(sums * (2**47 // normal), k)
