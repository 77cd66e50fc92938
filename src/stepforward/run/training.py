"""The loop every method shares: steps, validation, the best weights, early stop, progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stepforward.engines.protocol import Batch
from stepforward.run.keep_best import Best, start
from stepforward.run.progress import OnProgress, Progress
from stepforward.run.session import Score, Session


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """One validation: losses in nats per sample; the training loss is smoothed, None before the first new step."""

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
    """

    best: Best
    steps: int = 0
    stopped: str = "all steps done"
    forward_passes: int = 0
    curve: list[CurveRow] = field(default_factory=list)


def train(
    session: Session,
    batches: Callable[[int], Batch],
    judge: Callable[[], Score],
    *,
    steps: int,
    validation_count: int,
    nats: float,
    evaluate_every: int,
    patience: int | None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Take all steps of a session, keep the best weights seen, and end its journal.

    Args:
        session: takes the steps.
        batches: gives the samples and labels of a step number.
        judge: correct samples and summed loss of the present weights on the validation samples.
        steps: how many there are.
        validation_count: validation samples.
        nats: nats in one unit of the validation loss.
        evaluate_every: steps between validations; the last step is always followed by one.
        patience: stop after this many validations without a better one; None for never.
        on_progress: called after every new step.
    """
    smooth: float | None = None

    def row(step: int, correct: int, loss: float) -> CurveRow:
        accuracy, mean = correct / validation_count, loss * nats / validation_count
        return CurveRow(step=step, train_loss=smooth, validation_loss=mean, validation_accuracy=accuracy)

    score = session.validation(0, judge)
    run = Run(start(*score, session.engine.snapshot()), curve=[row(0, *score)])
    waited, started, new = 0, time.monotonic(), 0
    for step in range(1, steps + 1):
        loss, passes = session.step(step - 1, batches)
        run.steps = step
        run.forward_passes += passes
        if loss is not None:
            smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        if step % evaluate_every == 0 or step == steps:
            score, waited = session.validation(step, judge), waited + 1
            if run.best.beaten_by(*score):
                run.best, waited = Best(step, *score, session.engine.snapshot(), run.best.base_correct), 0
            run.curve.append(row(step, *score))
            if patience is not None and waited >= patience and step < steps:
                run.stopped = "early stop"
                break
        if on_progress and smooth is not None and loss is not None:
            new += 1
            speed = new / max(time.monotonic() - started, 1e-9)
            validation = score[0] / validation_count, score[1] * nats / validation_count
            on_progress(
                Progress(step, steps, smooth, *validation, run.best.step, speed, (steps - step) / speed)
            )
    session.end(run.best.step, run.stopped)
    return run
