"""Which tensors move: `all`, `head`, `last:k`, `bias`, or name patterns."""

from fnmatch import fnmatchcase

from stepforward.errors import StepforwardError
from stepforward.program.model import Program

WORDS = "all, head, last:k, bias, or a name pattern such as 'layer3.*' (several separated by commas)"


def select(program: Program, train: str) -> tuple[int, ...]:
    """Parameter indices of a trainable set.

    Args:
        program: the program.
        train: "all"; "head" (weight and bias of the last layer); "last:k" (of the last k layers); "bias"; or
            shell-style patterns over parameter names, separated by commas.

    Raises:
        StepforwardError: the word is unknown or a pattern matches nothing.
    """
    layers = [op.parameters for op in program.ops if op.parameters]
    if train == "all":
        return tuple(range(program.parameter_count))
    if train == "bias":
        return tuple(sorted({op.bias for op in program.ops if op.bias >= 0}))
    if train == "head" or train.startswith("last:"):
        count = 1 if train == "head" else _layer_count(train, len(layers))
        return tuple(sorted({index for layer in layers[-count:] for index in layer}))
    chosen: set[int] = set()
    for pattern in (part.strip() for part in train.split(",")):
        matched = {i for i, t in enumerate(program.parameters) if fnmatchcase(t.name, pattern)}
        if not matched:
            names = ", ".join(t.name for t in program.parameters)
            raise StepforwardError(
                f"--train {pattern!r} matches no parameter", f"use {WORDS}; parameters: {names}"
            )
        chosen |= matched
    return tuple(sorted(chosen))


def _layer_count(train: str, layers: int) -> int:
    text = train.removeprefix("last:")
    if not text.isdigit() or not 1 <= int(text) <= layers:
        raise StepforwardError(
            f"--train {train!r}: the network has {layers} layers", f"give last:1 to last:{layers}"
        )
    return int(text)
