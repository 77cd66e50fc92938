"""Sum of two tensors."""

from dataclasses import dataclass
from typing import Any

from stepforward.arithmetic.fixedpoint import add_multipliers, clamp, shift_right
from stepforward.arithmetic.rounding import CONTRACT, INSIDE, INSIDE_BYTES, SUM_BITS, base, float_sum, rescale
from stepforward.operators.join import Join


@dataclass(frozen=True, kw_only=True)
class Add(Join):
    """Sum of two tensors, both rescaled, rounded once: two pairs with one shift.

    With another rounding than the contract's there are three pairs: of each input, 2^20 times finer, and of their sum;
    with float32 arithmetic that has the zero points inside, two.
    """

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
        if self.rounding in (INSIDE, INSIDE_BYTES):
            low, (of_a, of_b) = base(self.rounding), self.rescale
            zero_points = (formats[0].zero_point + low, formats[1].zero_point + low, y.zero_point + low)
            return clamp(float_sum(x[0] + low, x[1] + low, zero_points, (of_a, of_b)) - low, self.lo, self.hi)
        mult, shift = self.pairs()
        a, b = (values - t.zero_point for values, t in zip(x, formats, strict=True))
        if self.rounding == CONTRACT:
            return self.put(shift_right(a * mult[0] + b * mult[1], shift[0]), y)
        parts = (rescale(v << SUM_BITS, mult[i], shift[i], self.rounding) for i, v in enumerate((a, b)))
        return self.put(rescale(sum(parts), mult[2], shift[2], self.rounding), y)
