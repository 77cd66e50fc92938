"""Average pool."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.rounding import INSIDE, INSIDE_BYTES, base, float_product, rescale
from stepforward.operators.window import Window


@dataclass(frozen=True, kw_only=True)
class AveragePool(Window):
    """Mean of each window, over the counted samples: one pair, or one for each count from 1 on.

    With another rounding than the contract's there may be no pair: input and output share one format then, and the mean
    of the integers is rounded half away from zero.

    Attributes:
        count_padding: padding counts as samples of zero.
    """

    kind = "average_pool"

    count_padding: bool = False

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        acc = np.zeros((len(x[0]), *y.shape), dtype=np.int64)
        count, present = np.zeros_like(acc), np.ones_like(x[0])
        samples = self.taps(x[0] - formats[0].zero_point, y, 0)
        for (_, tap), (_, here) in zip(samples, self.taps(present, y, 0), strict=True):
            acc += tap
            count += here
        if not self.rescale:
            total = acc + count * formats[0].zero_point
            mean = np.sign(total) * ((2 * np.abs(total) + count) // np.maximum(2 * count, 1))
            return np.clip(mean, self.lo, self.hi)
        mult, shift = self.pairs()
        which = count - 1 if len(mult) > 1 else np.zeros_like(count)
        if self.rounding in (INSIDE, INSIDE_BYTES):
            low = base(self.rounding)
            value = float_product(acc, y.zero_point + low, mult[which], shift[which])
            return np.clip(value - low, self.lo, self.hi)
        return self.put(rescale(acc, mult[which], shift[which], self.rounding), y)
