"""What a run asks of the network that learns, whether it computes in integers or in floats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from stepforward.journal import Leg
from stepforward.program.model import Program
from stepforward.run.figures import Figures
from stepforward.run.parameters import Stored
from stepforward.run.saliency import Salient
from stepforward.run.started import Started
from stepforward.run.training import Run
from stepforward.scores import Score
from stepforward.settings import Settings
from stepforward.sources.source import Source

Samples = tuple[NDArray, NDArray]
"""Inputs in the engine's format, and labels."""


class Learner(Protocol):
    """A network on its engine, and the samples as the engine reads them.

    Attributes:
        engine: runs the network; holds the only copy of the weights that moves.
        settings: of the run, as it used them.
        steps: to take; given, or as many as fit the time.
        shares: directions that share a batch out.
        nats: nats in one unit of the engine's losses.
        directions: of one step, which the journal records; 0 where none is kept.
    """

    engine: Any
    settings: Settings
    steps: int
    shares: int
    nats: float
    directions: int

    @property
    def samples(self) -> dict[str, Samples]:
        """What the engine runs, and labels: of "train", "validation" and, if there are any, "test"."""
        ...

    @property
    def started(self) -> Started | None:
        """Where the steps begin, in fixed point."""
        ...

    @property
    def salient(self) -> Salient | None:
        """Which weights move, in fixed point."""
        ...

    @property
    def tail(self) -> Stored | None:
        """The parameters that votes do not move, or None."""
        ...

    def score(self, part: str) -> Score:
        """How the present weights do on a part of the samples, at temperature 1."""
        ...

    def judged(self) -> Score:
        """How they do on the validation samples by the loss that chooses the weights to keep."""
        ...

    def watched(self) -> Score:
        """The same by the loss that says whether a run diverges."""
        ...

    @property
    def lead(self) -> Callable[[Leg], None] | None:
        """Has the engine follow the schedule of another leg; None where a run has a single one."""
        ...

    def sha256(self) -> str:
        """Of the present weights."""
        ...

    def header(self, every: int) -> dict | None:
        """Everything that decides the weights, as a journal's header records it; None where none is kept."""
        ...

    def save_base(self, folder: Path) -> None:
        """Write the base that replaying starts from, unless it was given."""
        ...

    def figures(self, run: Run) -> Figures:
        """What only this kind of network can say of itself."""
        ...

    def adapted(self) -> tuple[Source, Program | None]:
        """The network with the present weights: the model, and the program for devices if there is one."""
        ...
