"""One run of a method on an engine, with its journal: first the steps it already holds, then new ones."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from stepforward.engines.protocol import Batch
from stepforward.errors import StepforwardError
from stepforward.journal import Journal, JournalWriter, Leg, Parameters
from stepforward.methods.protocol import Method
from stepforward.run.parameters import Stored
from stepforward.run.resume_point import write_point

Score = tuple[int, int | float]
"""Correct samples, and their summed loss in units of the engine."""


class Taken(NamedTuple):
    """A step that was taken: mean training loss in nats per sample, and samples sent forward.

    A step that was only repeated from a journal has no loss and cost no forward pass.
    """

    loss: float | None
    forward_passes: int


class HasSnapshot(Protocol):
    """What a session itself needs of an engine; the rest is between the method and it."""

    def snapshot(self) -> Any:
        """A copy of the weights, and of what else the engine keeps between steps."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Put one back."""
        ...


class Session:
    """Takes the steps of one run, and writes them down. Use it in a `with` block: its end closes the journal.

    The weights after every step are the same whether a run was interrupted or not: recorded steps are applied from
    their moves, without a forward pass. Ctrl-C writes the steps that wait for a full record.

    Args:
        method: estimator and rule.
        engine: what they need; it holds the weights.
        writer: the journal to append to, or None.
        recorded: what the journal held when the run was resumed.
        tail: parameters that move by more than the recorded moves.
    """

    def __init__(
        self,
        method: Method[Any, Any],
        engine: HasSnapshot,
        writer: JournalWriter | None = None,
        recorded: Journal | None = None,
        tail: Stored | None = None,
    ):
        self.method, self.engine = method, engine
        self._writer = writer
        self._past: Any = () if recorded is None else recorded.votes
        self._scales = {} if recorded is None else recorded.scales
        self._legs = [] if recorded is None else list(recorded.legs)
        self._known: dict[int, Score] = {}
        self._tail, self._kept = tail, Parameters(0, b"")
        self._tails: dict[int, bytes] = {}
        if recorded is not None:
            self._tails = {p.step: p.content for p in recorded.parameters if p.step}
            self._known = {e.step: (e.correct, e.loss) for e in recorded.evaluations}
        self._asking, self._moving = method.estimator.init(engine), method.rule.init(engine)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        try:
            if isinstance(error, KeyboardInterrupt):
                self._writer.flush()
        finally:
            self._writer.close()

    def step(self, number: int, batches: Callable[[int], Batch]) -> Taken:
        """Take a step: the recorded one, or a new one, which is written down.

        Args:
            number: 0 for the first; one after the other.
            batches: gives the samples and labels of a step number.
        """
        if number < len(self._past):
            self._move(number, self._past[number].tolist())
            if number + 1 in self._scales:
                engine: Any = self.engine
                engine.vote_scale = self._scales[number + 1]
            return Taken(None, 0)
        estimator = self.method.estimator
        self._asking, found = estimator.step(self._asking, self.engine, number, batches(number))
        self._move(number, found.move)
        if self._writer is not None:
            self._writer.votes(found.move, found.scale)
        return Taken(found.loss, found.forward_passes)

    def validation(self, step: int, judge: Callable[[], Score]) -> Score:
        """The validation after `step` steps: what the journal says where it says it, else judged and written down."""
        if self._tail is not None and step in self._tails:
            self._tail.write(self._tails[step])
        if step not in self._known:
            correct, loss = self._known[step] = judge()
            if self._writer is not None:
                self._writer.evaluation(correct, int(loss))
        return self._known[step]

    def validated(self, step: int, better: bool) -> None:
        """Have a run with a tail be resumed from here, and hold the tail of weights that are better than all before."""
        if self._tail is None:
            return
        now = Parameters(step, self._tail.read())
        if better:
            self._kept = now
        if self._writer is not None and step > len(self._past):
            write_point(self._writer, [*([self._kept] if 0 < self._kept.step < step else []), now])

    def ended_leg(self, step: int) -> bool | None:
        """Whether the recorded run began a leg after `step` steps; None where the journal does not reach further."""
        if self._legs and self._legs[0].first == step:
            return True
        return False if step < len(self._past) else None

    def leg(self, leg: Leg) -> None:
        """Begin a leg, and write it down unless it was recorded.

        Raises:
            StepforwardError: another one was recorded here.
        """
        if self._legs and self._legs[0].first == leg.first:
            recorded = self._legs.pop(0)
            if recorded != leg:
                raise StepforwardError(
                    f"the journal says that the run went on from step {recorded.back} at step {leg.first}, "
                    f"its validations that it went on from step {leg.back}",
                    "restore the journal from a copy, or start a new run",
                )
        elif self._writer is not None:
            self._writer.leg(leg)

    def end(self, kept: int, reason: str) -> None:
        """Write down which step's weights were kept, with their tail, and why the run ended."""
        if self._writer is None:
            return
        if self._tail is not None and kept:
            self._writer.parameters(self._kept)
        self._writer.end(kept, reason)

    def _move(self, number: int, move: Any) -> None:
        self._moving = self.method.rule.step(self._moving, self.engine, number, move)
