"""Fully connected layer."""

from dataclasses import dataclass

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class FullyConnected(Operator):
    """Fully connected: the weight is (O, I), the bias (O,); one pair, or one for each output. Reads its input flat."""

    kind = "fully_connected"
    parametric = True

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        w, b = parameters
        return self.finish((x[0] - formats[0].zero_point).reshape(len(x[0]), -1) @ w.T + b, y)

    def products(self, weight, y):
        """Every weight once."""
        return weight.elements
