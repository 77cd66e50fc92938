"""`all`, `head` and `last:k`: layers, counted from the output."""

from stepforward.errors import StepforwardError
from stepforward.program.model import Program


def everything(program: Program, words: str) -> set[int] | None:
    """Every parameter; None where the words are others."""
    return set(range(program.parameter_count)) if words == "all" else None


def head(program: Program, words: str) -> set[int] | None:
    """Weight and bias of the last layer; None where the words are others."""
    return _of_last(program, 1) if words == "head" else None


def last(program: Program, words: str) -> set[int] | None:
    """Weights and biases of the last k layers, k from 1; None where the words are others.

    Raises:
        StepforwardError: the network has fewer layers, or k is no number.
    """
    if not words.startswith("last:"):
        return None
    count, layers = words.removeprefix("last:"), len(_layers(program))
    if not count.isdigit() or not 1 <= int(count) <= layers:
        raise StepforwardError(
            f"--train {words!r}: the network has {layers} layers", f"give last:1 to last:{layers}"
        )
    return _of_last(program, int(count))


def _of_last(program: Program, count: int) -> set[int]:
    return {index for layer in _layers(program)[-count:] for index in layer}


def _layers(program: Program) -> list[tuple[int, ...]]:
    """Parameters of each layer. A layer norm belongs to the layer before it, as a batch norm does that is folded into
    one: alone it scales what the next layer weighs anyway."""
    found: list[tuple[int, ...]] = []
    for op in program.ops:
        if op.kind == "layer_norm" and found:
            found[-1] += op.parameters
        elif op.parameters:
            found.append(op.parameters)
    return found
