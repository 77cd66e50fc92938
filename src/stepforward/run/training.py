"""The loop every method shares: steps, validation, the best weights, early stop, progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stepforward.engines.protocol import Batch
from stepforward.journal import Leg
from stepforward.run.keep_best import Best, start
from stepforward.run.legs import CHECKS, NOISE, back, diverges, extended
from stepforward.run.progress import OnProgress, Progress
from stepforward.run.session import Score, Session


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """One validation: losses in nats per sample, that of validation at the temperature of what chooses the weights; the
    training loss is smoothed, None before the first new step."""

    step: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass
class Run:
    """What a run leaves behind.

    Attributes:
        best: the weights that are kept.
        steps: steps taken.
        stopped: why it ended.
        forward_passes: samples sent through the network to train, by this process.
        curve: one row per validation.
        returns: legs that began with earlier weights, because the run had diverged.
    """

    best: Best
    steps: int = 0
    stopped: str = "all steps done"
    forward_passes: int = 0
    curve: list[CurveRow] = field(default_factory=list)
    returns: list[Leg] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How long a run trains, and by what it is judged.

    Attributes:
        steps: of its first leg.
        most_steps: to which it is extended while held-out loss still falls; `steps` for never.
        lr: peak learning rate of the first leg.
        validation_count: validation samples.
        least_correct: of them, that the given model classifies correctly, where the steps begin with another.
        nats: nats in one unit of the validation loss.
        evaluate_every: steps between validations; the last step of a leg is always followed by one.
        patience: stop after this many validations without a better one; None for never.
    """

    steps: int
    most_steps: int
    lr: float
    validation_count: int
    least_correct: int | None = None
    nats: float
    evaluate_every: int
    patience: int | None


def train(
    session: Session,
    batches: Callable[[int], Batch],
    judge: Callable[[], Score],
    rules: Rules,
    lead: Callable[[Leg], None] | None = None,
    watch: Callable[[], Score] | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Take all steps of a session, keep the best weights seen, and end its journal.

    Args:
        session: takes the steps.
        batches: gives the samples and labels of a step number.
        judge: correct samples and summed loss of the present weights on the validation samples.
        rules: how long, and by what it is judged.
        lead: has the engine follow the schedule of another leg. None: a run has one leg, even if it diverges.
        watch: as `judge`, by the loss that says whether the run diverges; None for the same.
        on_progress: called after every new step.
    """
    return _Training(session, batches, judge, rules, lead, watch, on_progress).whole()


class _Training:
    """One call of `train`, with its arguments."""

    def __init__(
        self,
        session: Session,
        batches: Callable[[int], Batch],
        judge: Callable[[], Score],
        rules: Rules,
        lead: Callable[[Leg], None] | None,
        watch: Callable[[], Score] | None,
        on_progress: OnProgress | None,
    ):
        self.session, self.batches, self.judge, self.rules = session, batches, judge, rules
        self.lead, self.watch, self.on_progress = lead, watch, on_progress
        self.smooth: float | None = None
        self.score = self.base = session.validation(0, judge)
        self.watched = self.base if watch is None else watch()
        self.run = Run(start(*self.base, session.engine.snapshot(), rules.least_correct))
        self.run.curve.append(self._row(0))
        self.waited, self.new, self.started = 0, 0, time.monotonic()

    def whole(self) -> Run:
        """All legs."""
        leg: Leg | None = Leg(0, 0, self.rules.steps, self.rules.lr)
        while leg is not None:
            self.run.stopped = self._leg(leg)
            leg = self._next(leg)
        self.session.end(self.run.best.step, self.run.stopped)
        return self.run

    def _leg(self, leg: Leg) -> str:
        """The steps of a leg; returns why it ended."""
        for step in range(leg.first + 1, leg.steps + 1):
            loss, passes = self.session.step(step - 1, self.batches)
            self.run.steps = step
            self.run.forward_passes += passes
            if loss is not None:
                self.smooth = loss if self.smooth is None else 0.9 * self.smooth + 0.1 * loss
            judged = step % self.rules.evaluate_every == 0 or step == leg.steps
            if judged:
                self._validate(step)
            if loss is not None:
                self._tell(step, leg)
            if step < leg.steps and self._is_worse(step, judged, step - leg.first):
                return "diverged"
            if judged and self.waited == self.rules.patience and step < leg.steps:
                return "early stop"
        return "all steps done"

    def _next(self, leg: Leg) -> Leg | None:
        """The leg that follows, begun; None where the run ends."""
        run, following = self.run, None
        if self.lead is None:
            return None
        if run.stopped == "diverged":
            following = back(leg, run.steps, run.best.step, len(run.returns))
        elif run.stopped == "all steps done":
            following = extended(leg, run.best.step, self.rules.most_steps)
        if following is None:
            return None
        self.session.leg(following)
        self.lead(following)
        if following.back < following.first:
            self.session.engine.restore(run.best.snapshot)
            run.returns.append(following)
        return following

    def _validate(self, step: int) -> None:
        self.score, self.waited = self.session.validation(step, self.judge), self.waited + 1
        better = self.run.best.beaten_by(*self.score)
        if better:
            snapshot = self.session.engine.snapshot()
            self.run.best, self.waited = Best(step, *self.score, snapshot, self.run.best.base_correct), 0
        self.session.validated(step, better)
        self.run.curve.append(self._row(step))

    def _is_worse(self, step: int, judged: bool, since: int) -> bool:
        """Whether the weights are much worse than the given ones, where that is looked at. Of a recorded step the
        journal says so: between two validations it does not have an exact tail as it was."""
        if self.lead is None or not (judged or since in CHECKS):
            return False
        recorded = self.session.ended_leg(step)
        if recorded is not None:
            return recorded
        noise = NOISE * self.rules.validation_count / self.rules.nats
        now = self.watch() if self.watch else self.score if judged else self.judge()
        return diverges(*now, *self.watched, noise)

    def _row(self, step: int) -> CurveRow:
        (correct, loss), count = self.score, self.rules.validation_count
        return CurveRow(
            step=step,
            train_loss=self.smooth,
            validation_loss=loss * self.rules.nats / count,
            validation_accuracy=correct / count,
        )

    def _tell(self, step: int, leg: Leg) -> None:
        if self.on_progress is None or self.smooth is None:
            return
        self.new += 1
        speed = self.new / max(time.monotonic() - self.started, 1e-9)
        accuracy = self.score[0] / self.rules.validation_count
        loss = self.score[1] * self.rules.nats / self.rules.validation_count
        left = (leg.steps - step) / speed
        self.on_progress(
            Progress(
                step,
                leg.steps,
                self.run.best.step,
                speed,
                left,
                train_loss=self.smooth,
                validation_accuracy=accuracy,
                validation_loss=loss,
            )
        )
