"""Change of format."""

from dataclasses import dataclass

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Rescale(Operator):
    """Change of format with one pair, or a ReLU, ReLU6 or clip by itself."""

    kind = "rescale"

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        return self.finish(x[0] - formats[0].zero_point, y)
