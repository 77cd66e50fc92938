"""Which of a file's outputs holds the logits, where it has several."""

from collections.abc import Sequence
from typing import NamedTuple

from stepforward.errors import StepforwardError

ONLY = "only:"
"""Before the name of an output: the others are left out."""

_LOGITS = "logits"


class Output(NamedTuple):
    """An output as the file has it.

    Attributes:
        name: of it.
        shape: with the batch first, None for sizes that are not known before the network runs; None where nothing is.
        real: whether it holds numbers that logits could be, not indices.
    """

    name: str
    shape: tuple[int | None, ...] | None
    real: bool = True

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name!r} of unknown shape"
        sizes = ("?" if size is None else str(size) for size in self.shape[1:])
        return f"{self.name!r} ({', '.join(('N', *sizes))})"


def split_name(asked: str | None) -> tuple[str | None, bool]:
    """The name in `--output NAME` or `only:NAME`, and whether the other outputs are left out.

    >>> split_name("only:logits")
    ('logits', True)
    """
    only = asked is not None and asked.startswith(ONLY)
    return (asked.removeprefix(ONLY) or None, only) if asked is not None else (None, False)


def choose_kept(outputs: Sequence[Output], asked: str | None, source: str) -> tuple[int, list[str]]:
    """The same of a file that is returned as it came, with a note where it has other outputs.

    Raises:
        StepforwardError: as of `choose_output`, or the others are to be left out.
    """
    name, only = split_name(asked)
    if only:
        raise StepforwardError(
            f"{source} is returned with all its outputs", f"give --output {name} without {ONLY!r}"
        )
    chosen = choose_output(outputs, name, source)
    others = ", ".join(repr(output.name) for at, output in enumerate(outputs) if at != chosen)
    logits = repr(outputs[chosen].name)
    note = f"the logits are the output {logits}; what adapting changes in the layers before it changes {others} too"
    return chosen, [note] if others else []


def choose_output(
    outputs: Sequence[Output], asked: str | None, source: str, classes: int | None = None
) -> int:
    """The number of the output that holds the logits.

    It is the only one there is; or the one called "logits"; or the only one of two axes, among several the only one
    as wide as the file names classes; or the only one that has two but for axes of size 1.

    Args:
        asked: the name that the caller gave.
        source: how messages name the file.
        classes: how many classes the file names.

    Raises:
        StepforwardError: there is none of that name, or nothing tells it from the others.
    """
    listed = ", ".join(map(str, outputs)) or "none"
    names = [output.name for output in outputs]
    if asked is not None:
        if asked not in names:
            raise StepforwardError(
                f"{source} has no output {asked!r}; it has {listed}",
                "give the name of one of these to --output",
            )
        return names.index(asked)
    if len(outputs) == 1:
        return 0
    rows, alike = ([at for at, each in enumerate(outputs) if rule(each)] for rule in (_is_row, _becomes_row))
    for found in (
        [at for at, name in enumerate(names) if name.lower() == _LOGITS],
        rows,
        [at for at in rows if classes is not None and (outputs[at].shape or ())[1] == classes],
        [] if rows else alike,
    ):
        if len(found) == 1:
            return found[0]
    if outputs and not alike:
        raise StepforwardError(
            f"{source} has {len(outputs)} outputs, none of them (N, classes): {listed}",
            "export a classifier: one logit per class for each sample",
        )
    raise StepforwardError(
        f"{source} has {len(outputs)} outputs: {listed}",
        "say which one holds the logits: --output NAME (output= in Python); the others stay in the file"
        if outputs
        else "export the model that computes the logits",
    )


def _is_row(output: Output) -> bool:
    return output.real and output.shape is not None and len(output.shape) == 2


def _becomes_row(output: Output) -> bool:
    """Whether it is (N, classes) but for axes of size 1, as far as is known."""
    if not output.real or output.shape is None:
        return output.real
    return len(output.shape) > 1 and sum(size not in (1, None) for size in output.shape[1:]) <= 1
