"""Sum of two tensors."""

from dataclasses import dataclass
from typing import Any

from stepforward.arithmetic.fixedpoint import add_multipliers, requantize
from stepforward.operators.join import Join


@dataclass(frozen=True, kw_only=True)
class Add(Join):
    """Sum of two tensors of one shape, both rescaled, rounded once: two pairs with one shift."""

    kind = "add"
    name = "Add"

    @staticmethod
    def real(a: Any, b: Any) -> Any:
        """Their sum."""
        return a + b

    @staticmethod
    def multipliers(a: float, b: float, y: float) -> tuple[tuple[int, int], ...]:
        """One pair for each input, with one shift."""
        return add_multipliers(a / y, b / y)

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        mult, shift = self.pairs()
        acc = sum((values - t.zero_point) * m for values, t, m in zip(x, formats, mult, strict=True))
        return requantize(acc, 1, shift[0], y.zero_point, self.lo, self.hi)
