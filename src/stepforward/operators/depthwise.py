"""Depthwise convolution."""

from dataclasses import dataclass

import numpy as np

from stepforward.operators.window import Window


@dataclass(frozen=True, kw_only=True)
class Depthwise(Window):
    """Depthwise convolution: the weight is (KH, KW, C), the bias (C,); one pair, or one for each channel."""

    kind = "depthwise"
    parametric = True

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        w, b = parameters
        acc = np.broadcast_to(b, (len(x[0]), *y.shape)).copy()
        for (ky, kx), tap in self.taps(x[0] - formats[0].zero_point, y, 0):
            acc += tap * w[ky, kx]
        return self.finish(acc, y)
