"""Sum of two tensors."""

from dataclasses import dataclass

from stepforward.arithmetic.fixedpoint import requantize
from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Add(Operator):
    """Sum of two tensors of one shape, both rescaled, rounded once: two pairs with one shift."""

    kind = "add"

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        mult, shift = self.pairs()
        acc = sum((values - t.zero_point) * m for values, t, m in zip(x, formats, mult, strict=True))
        return requantize(acc, 1, shift[0], y.zero_point, self.lo, self.hi)
