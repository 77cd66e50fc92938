"""The exact gradient of the last layer: sums over samples, and the step they make (contract, section 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right
from stepforward.arithmetic.loss import powers_of, shares_of

MOST_BITS = 14
"""Fraction bits of an error, which is s16."""

LARGEST_INPUT = 255
"""Of an s8 input without its zero point."""

MEAN_BITS = 15
"""Fraction bits of a mean of the inputs."""

BIAS_BITS = 8
"""Fraction bits that a bias's gradient has less than a weight's."""

_MOST_ROWS, _MOST_GRADIENT = 65535, 2**29


def most_rows(bits: int) -> int:
    """Samples whose products with errors of so many bits fit an s32, and their squares a u32.

    >>> most_rows(14), most_rows(13), most_rows(0)
    (514, 1028, 65535)
    """
    return min((2**31 - 1) // (LARGEST_INPUT << bits), _MOST_ROWS)


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
    _, powers, total = powers_of(logits, mult, shift)
    found = shares_of(powers, total, bits)
    found[np.arange(len(labels)), labels] -= 1 << bits
    return found


@dataclass
class Sums:
    """What the samples of one step add up to; all zero between steps.

    Attributes:
        weight: products of errors and inputs, shape (classes, inputs).
        bias: errors, shape (classes,).
        inputs, squares: of the inputs, shape (inputs,).
        rows: samples.
    """

    weight: Int
    bias: Int
    inputs: Int
    squares: Int
    rows: int = 0

    @classmethod
    def empty(cls, classes: int, inputs: int) -> Sums:
        """Before the first sample of a step."""
        weight, bias = np.zeros((classes, inputs), dtype=np.int64), np.zeros(classes, dtype=np.int64)
        return cls(weight, bias, np.zeros(inputs, dtype=np.int64), np.zeros(inputs, dtype=np.int64))

    def add(self, x: Int, found: Int) -> None:
        """Add samples.

        Args:
            x: inputs of the layer without their zero point, shape (n, inputs).
            found: their errors, shape (n, classes).
        """
        self.weight += found.T @ x
        self.bias += found.sum(axis=0)
        self.inputs += x.sum(axis=0)
        self.squares += (x * x).sum(axis=0)
        self.rows += len(x)


def gradients(sums: Sums, moves_weight: bool, moves_bias: bool) -> tuple[Int, Int]:
    """What takes the place of the sum of votes in a step: the weight's, flat, with 15 + bits fraction bits, and the
    bias's, with `BIAS_BITS` less.

    The gradient is that of a layer whose inputs have mean zero and deviation one, so that one rate suits every layer
    and inputs that are all above zero learn no slower. What the weights' moves do to the logit of the mean input, the
    bias takes back; a layer whose weight or bias stays leaves the mean where it is.

    Args:
        sums: of a step.
        moves_weight, moves_bias: whether they move.
    """
    if sums.rows == 0:
        return np.zeros_like(sums.weight).reshape(-1), np.zeros_like(sums.bias)
    error, first = (part * (moves_weight and moves_bias) for part in (sums.bias, sums.inputs))
    mean = quotient(first, sums.rows)
    spread = sums.squares - first * first // sums.rows
    divisors = len(first) * spread + (int(spread.sum()) >> 4) + sums.rows
    products = sums.weight - shift_right(error[:, None] * mean, MEAN_BITS)
    columns = [quotient(column, int(divisor)) for column, divisor in zip(products.T, divisors, strict=True)]
    weight = np.array(columns, dtype=np.int64).reshape(len(first), -1).T
    taken_back = 4 * shift_right(weight * mean, MEAN_BITS).sum(axis=1) if moves_weight else 0
    bias = shift_right(quotient(sums.bias, sums.rows) - taken_back, BIAS_BITS)
    return weight.reshape(-1), clamp(bias, -_MOST_GRADIENT, _MOST_GRADIENT)


def quotient(sums: Int, divisor: int) -> Int:
    """`sums * 2^15 / divisor` by a reciprocal of 16 bits.

    >>> quotient(np.array([300, -300]), 3)
    array([ 3276750, -3276750])
    """
    k = divisor.bit_length()
    normal = divisor << (32 - k) if k <= 32 else divisor >> (k - 32)
    return shift_right(sums * (2**47 // normal), k)
