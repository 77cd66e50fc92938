"""Concatenation."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.fixedpoint import requantize
from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Concat(Operator):
    """Join tensors, each rescaled to the output's format: one pair for each.

    Attributes:
        axis: of a sample.
    """

    kind = "concat"

    axis: int = 0

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        parts = [
            requantize(values - t.zero_point, mult, shift, y.zero_point, self.lo, self.hi)
            for values, t, (mult, shift) in zip(x, formats, self.rescale, strict=True)
        ]
        return np.concatenate(parts, axis=self.axis + 1)
