"""Padding by itself."""

from dataclasses import dataclass

import numpy as np

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Pad(Operator):
    """Add a border of a given integer. No pairs: the format stays.

    Attributes:
        padding: top, left, bottom, right.
        channels: how many before and after.
        value: of the border.
    """

    kind = "pad"

    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    channels: tuple[int, int] = (0, 0)
    value: int = 0

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        top, left, bottom, right = self.padding
        border = ((0, 0), (top, bottom), (left, right), self.channels)
        return np.pad(x[0], border, constant_values=self.value)
