"""What recurrent operators share: steps through time, and the state as weights read it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, clamp, requantize
from stepforward.arithmetic.rounding import rescale
from stepforward.operators.operator import Operator

FRACTION = 12
"""Bits after the point of what gates are computed from: they reach from -8 to 8, where gates are open or closed."""

GATE_SCALE = 2.0**-FRACTION
"""One step of what gates are computed from."""

STATE_SCALE = 2.0**-7
"""One step of a state as weights read it."""

SHOWN_SCALE = 2.0**-15
"""One step of a state as it is."""

OPEN_STATE = 256
"""Steps of the inputs in one step of a state that nothing bounds, as weights read it."""


@dataclass(frozen=True, kw_only=True)
class Recurrent(Operator):
    """A layer that carries a state of H numbers from step to step.

    The input has G*H numbers for each step, in its last dimension: what the layer's inputs add to the G gates, computed
    for all steps by an ordinary operator before it, s16 with 12 bits after the point and zero point 0. The weight is
    (G*H, H), the bias (G*H,); one pair, or one for each of the G*H. The output has the state after each step, H
    numbers in the place of G*H.

    Attributes:
        reverse: the last step comes first.
        output_rescale: (mult, shift) from the state to the output.
    """

    gates: ClassVar[int]
    parametric = True

    reverse: bool = False
    output_rescale: tuple[int, int] = (1, 8)

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        weight, bias = parameters
        hidden = weight.shape[1]
        steps = x[0].reshape(len(x[0]), -1, self.gates, hidden)
        state = self.start(len(steps), hidden)
        found = np.zeros((steps.shape[1], len(steps), hidden), np.int64)
        order = range(steps.shape[1])
        for t in reversed(order) if self.reverse else order:
            state = self.step(
                steps[:, t].swapaxes(0, 1), state, weight.reshape(self.gates, hidden, hidden), bias
            )
            found[t] = state[0]
        mult, shift = self.output_rescale
        return requantize(found.swapaxes(0, 1), mult, shift, y.zero_point, self.lo, self.hi).reshape(
            len(steps), *y.shape
        )

    def start(self, samples: int, hidden: int) -> tuple[Int, ...]:
        """The state before the first step; its first array is what the output shows."""
        return (np.zeros((samples, hidden), np.int64),)

    def step(self, x: Int, state: tuple[Int, ...], weight: Int, bias: Int) -> tuple[Int, ...]:
        """The state after one step.

        Args:
            x: (G, samples, H). weight: (G, H, H). bias: (G*H,).
        """
        raise NotImplementedError

    def product(self, state: Int, weight: Int, bias: Int, gate: int) -> Int:
        """What the weight of one gate makes of a state, rescaled to 12 bits after the point, not clamped."""
        hidden = weight.shape[1]
        rows = slice(gate * hidden, (gate + 1) * hidden)
        mult, shift = self.pairs()
        if len(mult) > 1:
            mult, shift = mult[rows], shift[rows]
        return rescale(eight_bits(state) @ weight[gate].T + bias[rows], mult, shift, self.rounding)

    def products(self, weight, y):
        """Every weight once in each step."""
        return weight.elements * (y.elements // weight.shape[1])


def eight_bits(state: Int) -> Int:
    """A state in steps of 2^-7, as weights read it."""
    return clamp((state + 128) >> 8, -128, 127)


def sixteen_bits(value: Int) -> Int:
    """Clamped to s16."""
    return clamp(value, -32768, 32767)
