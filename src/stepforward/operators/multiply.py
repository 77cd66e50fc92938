"""Product of two tensors."""

from dataclasses import dataclass
from typing import Any

from stepforward.arithmetic.fixedpoint import clamp, quantize_multiplier
from stepforward.arithmetic.rounding import INSIDE, INSIDE_BYTES, base, float_product
from stepforward.operators.join import Join


@dataclass(frozen=True, kw_only=True)
class Multiply(Join):
    """Product of two tensors, rescaled with one pair; with float32 arithmetic the zero point may be inside."""

    kind = "multiply"
    name = "Mul"

    @staticmethod
    def real(a: Any, b: Any) -> Any:
        """Their product."""
        return a * b

    @staticmethod
    def multipliers(a: float, b: float, y: float) -> tuple[tuple[int, int], ...]:
        """One pair."""
        return (quantize_multiplier(a * b / y),)

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        a, b = (values - t.zero_point for values, t in zip(x, formats, strict=True))
        if self.rounding in (INSIDE, INSIDE_BYTES):
            low = base(self.rounding)
            return clamp(float_product(a * b, y.zero_point + low, *self.rescale[0]) - low, self.lo, self.hi)
        return self.finish(a * b, y)
