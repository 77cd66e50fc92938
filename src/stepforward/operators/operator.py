"""What every operator has: a kind, how its integers are rescaled and clamped, and its definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, clamp
from stepforward.arithmetic.rounding import CONTRACT, rescale

if TYPE_CHECKING:  # operators stand below the program and import nothing of it
    from stepforward.program.model import Tensor


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator by itself; `program.model.Op` says where it stands in a program.

    Attributes:
        kind: its name in files and messages.
        parametric: it reads a weight and a bias.
        table_entries: how many entries its table has; 0: it has none.
        rescale: (mult, shift) pairs; how many and of what, the operator says.
        lo, hi: smallest and largest output.
        rounding: how a rescaled sum is rounded (`arithmetic.rounding`).
        tables: the entries of its table, of the output's type.
    """

    kind: ClassVar[str]
    parametric: ClassVar[bool] = False
    table_entries: ClassVar[int] = 0

    rescale: tuple[tuple[int, int], ...] = ()
    lo: int = -128
    hi: int = 127
    rounding: int = CONTRACT
    tables: tuple[int, ...] = ()

    @classmethod
    def own(cls) -> list[Field]:
        """The fields that this kind has besides those of every operator: its attributes, in order."""
        common = {field.name for field in fields(Operator)}
        return [field for field in fields(cls) if field.name not in common]

    def attributes(self) -> list[int]:
        """The attributes as a program's file has them, one integer after the other."""
        values = (getattr(self, field.name) for field in self.own())
        return [int(v) for value in values for v in (value if isinstance(value, tuple) else (value,))]

    @classmethod
    def from_attributes(cls, words: Sequence[int], **common: Any) -> Self:
        """The operator with the attributes of a file. Each takes as many integers as its default has; a tuple without
        a default takes what is left.

        Args:
            words: what `attributes` gives.
            common: the fields of every operator.
        """
        left = list(words)
        named: dict[str, Any] = {}
        for field in cls.own():
            default: Any = field.default
            if isinstance(default, tuple):
                size = len(default) or len(left)
                named[field.name] = tuple(left[:size])
            else:
                size = 1
                named[field.name] = type(default)(left[0])
            del left[:size]
        return cls(**named, **common)

    def run(
        self, x: Sequence[Int], formats: Sequence[Tensor], y: Tensor, parameters: Sequence[Int] = ()
    ) -> Int:
        """The outputs of a batch, by the definition.

        Args:
            x: the inputs, int64, each (n, *shape of its tensor).
            formats: the tensors of the inputs.
            y: the output's tensor.
            parameters: weight and bias, in their stored shapes, of an operator that has them.

        Returns:
            int64, (n, *y.shape).
        """
        raise NotImplementedError

    def products(self, weight: Tensor, y: Tensor) -> int:
        """Multiply-accumulates of one sample of a parametric operator, by the tensors of its weight and its output."""
        raise NotImplementedError

    def pairs(self) -> tuple[Int, Int]:
        """Multipliers and shifts."""
        pairs = np.array(self.rescale, dtype=np.int64)
        return pairs[:, 0], pairs[:, 1]

    def finish(self, acc: Int, y: Tensor) -> Int:
        """Outputs of exact sums: rescaled with one pair, or one for each of the last dimension."""
        return self.put(rescale(acc, *self.pairs(), self.rounding), y)

    def put(self, value: Int, y: Tensor) -> Int:
        """Outputs of values that are rescaled: with their zero point, clamped."""
        return clamp(value + y.zero_point, self.lo, self.hi)
