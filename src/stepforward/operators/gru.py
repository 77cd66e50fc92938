"""Gated recurrent unit."""

from dataclasses import dataclass

from stepforward.arithmetic.fixedpoint import shift_right
from stepforward.arithmetic.gates import sigmoid, tanh
from stepforward.operators.recurrent import FRACTION, Recurrent, sixteen_bits


@dataclass(frozen=True, kw_only=True)
class Gru(Recurrent):
    """Gated recurrent unit; its gates, in order: update, reset, candidate.

    Attributes:
        reset_after: the reset gate multiplies what the candidate's weight makes of the state (torch, Keras); else the
            state before it.
    """

    kind = "gru"
    gates = 3

    reset_after: bool = True

    def step(self, x, state, weight, bias):
        """The definition."""
        (h,) = state
        update, reset = (
            sigmoid(sixteen_bits(x[gate] + self.product(h, weight, bias, gate)), FRACTION) for gate in (0, 1)
        )
        if self.reset_after:
            more = shift_right(reset * sixteen_bits(self.product(h, weight, bias, 2)), 15)
        else:
            more = self.product(shift_right(reset * h, 15), weight, bias, 2)
        candidate = tanh(sixteen_bits(x[2] + more), FRACTION)
        return (sixteen_bits(shift_right(update * h + (32768 - update) * candidate, 15)),)
