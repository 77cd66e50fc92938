"""Plain recurrent layer."""

from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.gates import tanh
from stepforward.operators.recurrent import FRACTION, Recurrent, sixteen_bits


@dataclass(frozen=True, kw_only=True)
class Rnn(Recurrent):
    """Plain recurrent layer, whose state is a function of what inputs and state add up to.

    Attributes:
        relu: the function is ReLU, and the state has the steps of what the layer reads, whatever these are, because
            nothing bounds it; else tanh.
    """

    kind = "rnn"
    gates = 1

    relu: bool = False

    def step(self, x, state, weight, bias):
        """The definition."""
        total = sixteen_bits(x[0] + self.product(state[0], weight, bias, 0))
        return (np.maximum(total, 0) if self.relu else tanh(total, FRACTION),)
