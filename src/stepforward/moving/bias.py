"""`bias`: the bias of every layer."""

from stepforward.program.model import Program


def biases(program: Program, words: str) -> set[int] | None:
    """The biases; None where the words are others."""
    return {op.bias for op in program.ops if op.bias >= 0} if words == "bias" else None
