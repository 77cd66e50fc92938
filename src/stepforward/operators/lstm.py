"""Long short-term memory."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.fixedpoint import shift_right
from stepforward.arithmetic.gates import sigmoid, tanh
from stepforward.operators.recurrent import FRACTION, Recurrent, sixteen_bits


@dataclass(frozen=True, kw_only=True)
class Lstm(Recurrent):
    """Long short-term memory; its gates, in order: input, output, forget, candidate.

    Attributes:
        cell: bits before the point of the cells' states, which reach from -2^cell to 2^cell.
    """

    kind = "lstm"
    gates = 4

    cell: int = 4

    def start(self, samples, hidden):
        """The state and the cells' states."""
        return np.zeros((samples, hidden), np.int64), np.zeros((samples, hidden), np.int64)

    def step(self, x, state, weight, bias):
        """The definition."""
        h, cells = state
        sums = [sixteen_bits(x[gate] + self.product(h, weight, bias, gate)) for gate in range(4)]
        put, show, keep = (sigmoid(one, FRACTION) for one in sums[:3])
        new = shift_right(put * tanh(sums[3], FRACTION), self.cell)
        cells = sixteen_bits(shift_right(keep * cells + new, 15))
        return sixteen_bits(shift_right(show * tanh(cells, 15 - self.cell), 15)), cells
