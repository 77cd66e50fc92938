"""Softmax over the last axis."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.fixedpoint import clamp, multiply, shift_right
from stepforward.arithmetic.loss import exp2_negative
from stepforward.arithmetic.rows import reciprocal, top_bit
from stepforward.operators.operator import Operator

MOST_COLUMNS = 65536


@dataclass(frozen=True, kw_only=True)
class Softmax(Operator):
    """Softmax over the last axis, in powers of two as the loss has them. One pair, of scale_x * log2(e) * 2^16.

    Attributes:
        bits: probabilities are counted in steps of 2^-bits.
    """

    kind = "softmax"

    bits: int = 8

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        (pair,) = self.rescale
        powers = exp2_negative(multiply(x[0].max(axis=-1, keepdims=True) - x[0], *pair))
        total = powers.sum(axis=-1, keepdims=True)
        k = top_bit(total)
        shift = 31 + k - self.bits
        value = shift_right(powers * reciprocal(61, total >> (k - 30)), np.minimum(shift, 62))
        return clamp(np.where(shift > 62, 0, value) + y.zero_point, self.lo, self.hi)
