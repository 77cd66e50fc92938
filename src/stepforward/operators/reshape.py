"""Change of shape."""

from dataclasses import dataclass

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Reshape(Operator):
    """The same integers in another shape. No pairs: the format stays."""

    kind = "reshape"

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        return x[0].reshape(len(x[0]), *y.shape)
