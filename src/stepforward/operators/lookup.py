"""A function of one value, as a table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Lookup(Operator):
    """The entry of a table for each input: entry i is the output for the input i - 128. No pairs: an entry is in the
    output's format already, and clamped."""

    kind = "lookup"
    table_entries = 256

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        return np.array(self.tables, np.int64)[x[0] + 128]


def entries(
    values: NDArray[np.float64], scale: float, zero_point: int, lo: int = -128, hi: int = 127
) -> tuple[int, ...]:
    """The table of a function: `clamp(floor(value / scale + 1/2) + zero_point, lo, hi)`.

    Args:
        values: of the function, float64 (256,), for the inputs -128 to 127; may be infinite, and where it is NaN the
            function counts as 0.
        scale, zero_point: of the output.
        lo, hi: smallest and largest output.
    """
    real = np.where(np.isnan(values), 0.0, values)
    return tuple(np.clip(np.floor(real / scale + 0.5) + zero_point, lo, hi).astype(int).tolist())
