"""Transposition."""

from dataclasses import dataclass

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class Transpose(Operator):
    """Permute the dimensions of a sample. No pairs: the format stays.

    Attributes:
        permutation: the input's dimension that becomes each of the output's.
    """

    kind = "transpose"

    permutation: tuple[int, ...] = ()

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        return x[0].transpose(0, *(axis + 1 for axis in self.permutation))
