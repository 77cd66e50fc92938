"""Max pool."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.fixedpoint import clamp
from stepforward.operators.window import Window


@dataclass(frozen=True, kw_only=True)
class MaxPool(Window):
    """Largest value of each window; padding never wins. No pairs: the format stays."""

    kind = "max_pool"

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        best = np.full((len(x[0]), *y.shape), np.iinfo(np.int64).min)
        for _, tap in self.taps(x[0], y, int(best.flat[0])):
            best = np.maximum(best, tap)
        return clamp(best, self.lo, self.hi)
