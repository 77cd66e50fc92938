"""Where the steps of a run begin: with the base, or with another last layer or other biases."""

from dataclasses import dataclass
from pathlib import Path

from stepforward.errors import StepforwardError
from stepforward.journal import Journal
from stepforward.program.biases import with_biases
from stepforward.program.last_layer import Layer, with_layer
from stepforward.program.model import Program
from stepforward.run.tried import Tried


@dataclass(frozen=True, eq=False)
class Started:
    """Where the steps begin.

    Attributes:
        program: with what a start has changed, or the base.
        base: without.
        layer: what a journal records of the last layer; None where the base's was kept.
        told: what people read of it; None where no start was asked for.
        biases: what a journal records of the biases; None where they were kept.
        biases_told: what people read of them.
    """

    program: Program
    base: Program
    layer: Layer | None = None
    told: Tried | None = None
    biases: bytes | None = None
    biases_told: Tried | None = None


def recorded_start(program: Program, recorded: Journal, source: str) -> Program:
    """The program with the last layer and the biases that a journal begins with, if it has any.

    Raises:
        StepforwardError: they do not fit.
    """
    try:
        if recorded.start is not None:
            program = with_layer(program, Layer.read(recorded.start))
        return program if recorded.biases is None else with_biases(program, recorded.biases)
    except ValueError as error:
        raise StepforwardError(
            f"{source} is not the journal of a run: what its steps begin with does not fit the model ({error})",
            "restore it from a copy, or start a new run",
        ) from error


def check_same_start(started: Started | None, recorded: Journal, path: Path) -> None:
    """Refuse a start that these samples do not lead to; a run may have stopped before it had written it.

    Raises:
        StepforwardError: the journal holds another one.
    """
    layer = None if started is None or started.layer is None else started.layer.written
    biases = None if started is None else started.biases
    for what, there, now in (
        ("last layer does not begin as these samples make it", recorded.start, layer),
        ("biases do not begin as these samples make them", recorded.biases, biases),
    ):
        if there != now and (there is not None or recorded.evaluations):
            raise StepforwardError(
                f"{path} is damaged: its {what}",
                "restore it from a copy, or start a new run",
            )
