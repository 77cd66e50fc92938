"""Convolution."""

from dataclasses import dataclass

import numpy as np

from stepforward.operators.window import Window


@dataclass(frozen=True, kw_only=True)
class Conv(Window):
    """Convolution: the weight is (O, KH, KW, I/groups), the bias (O,); one pair, or one for each output channel."""

    kind = "conv"
    parametric = True

    groups: int = 1

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        w, b = parameters
        group_in, group_out = w.shape[3], w.shape[0] // self.groups
        acc = np.broadcast_to(b, (len(x[0]), *y.shape)).copy()
        for (ky, kx), tap in self.taps(x[0] - formats[0].zero_point, y, 0):
            for g in range(self.groups):
                inputs = tap[..., g * group_in : (g + 1) * group_in]
                rows = slice(g * group_out, (g + 1) * group_out)
                acc[..., rows] += inputs @ w[rows, ky, kx].T
        return self.finish(acc, y)
