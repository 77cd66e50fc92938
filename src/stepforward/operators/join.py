"""What operators share that join two tensors of one shape, element by element."""

from typing import Any, ClassVar

from stepforward.operators.operator import Operator


class Join(Operator):
    """Reads two tensors and writes one, all of one shape.

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
