"""What operators share that join two tensors, element by element."""

from typing import Any, ClassVar

from stepforward.operators.operator import Operator


class Join(Operator):
    """Reads two tensors and writes one. All have as many dimensions; one of the inputs' may be 1 where the output's is
    not, and its only part then meets all of the other input's.

    Attributes:
        name: of the operator in a graph of float operators, as in ONNX.
    """

    name: ClassVar[str]

    @staticmethod
    def real(a: Any, b: Any) -> Any:
        """What the float operator computes, of NumPy arrays and torch tensors alike."""
        raise NotImplementedError

    @staticmethod
    def multipliers(a: float, b: float, y: float) -> tuple[tuple[int, int], ...]:
        """The (mult, shift) pairs, from the scales of both inputs and the output."""
        raise NotImplementedError
