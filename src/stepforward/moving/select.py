"""From the words of `--train` to the parameters that move."""

from stepforward.moving.bias import biases
from stepforward.moving.layers import everything, head, last
from stepforward.moving.names import named
from stepforward.program.model import Program

KINDS = (everything, head, last, biases)
"""Each takes the program and the words, and gives None where the words are none of its own."""

REMEDY = "use all, head, last:k, bias, or a name pattern such as 'layer3.*' (several separated by commas)"


def select(program: Program, train: str) -> tuple[int, ...]:
    """Parameter indices of a trainable set, in the program's order; frozen ones are left out.

    Args:
        program: the program.
        train: "all"; "head" (weight and bias of the last layer); "last:k" (of the last k layers); "bias"; or
            shell-style patterns over parameter names, separated by commas.

    Raises:
        StepforwardError: the word is unknown or a pattern matches nothing.
    """
    found = (kind(program, train) for kind in KINDS)
    chosen = next((indices for indices in found if indices is not None), None)
    chosen = named(program, train, REMEDY) if chosen is None else chosen
    free = {index for index in chosen if not program.tensors[index].frozen}
    return tuple(sorted(free or chosen))
