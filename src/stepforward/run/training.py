"""The loop every method shares: steps, validation, the best weights, early stop, progress."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stepforward.run.keep_best import Best, start
from stepforward.run.progress import OnProgress, Progress


class Taken(NamedTuple):
    """A step that was taken: mean training loss in nats per sample, and samples sent forward.

    A step that was only repeated from a journal has no loss and cost no forward pass.
    """

    loss: float | None
    forward_passes: int


@dataclass
class Run:
    """What a run leaves behind.

    Attributes:
        best: the weights that are kept.
        steps: steps taken.
        stopped: why it ended.
        forward_passes: samples sent through the network to train, by this process.
        curve: one row per validation: step, train_loss, validation_loss (nats), validation_accuracy.
    """

    best: Best
    steps: int = 0
    stopped: str = "all steps done"
    forward_passes: int = 0
    curve: list[dict] = field(default_factory=list)


def train(
    taken: Iterator[Taken],
    judge: Callable[[int], tuple[int, float]],
    snapshot: Callable[[], Any],
    *,
    steps: int,
    validation_count: int,
    nats: float,
    evaluate_every: int,
    patience: int | None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Take all steps and keep the best weights seen.

    Args:
        taken: takes one step each time it is asked.
        judge: correct samples and summed loss on the validation samples after a number of steps.
        snapshot: the present weights.
        steps: how many there are.
        validation_count: validation samples.
        nats: nats in one unit of the validation loss.
        evaluate_every: steps between validations; the last step is always followed by one.
        patience: stop after this many validations without a better one; None for never.
        on_progress: called after every new step.
    """
    smooth: float | None = None

    def row(step: int, correct: int, loss: float) -> dict:
        return {
            "step": step,
            "train_loss": smooth,
            "validation_loss": loss * nats / validation_count,
            "validation_accuracy": correct / validation_count,
        }

    score = judge(0)
    run = Run(start(*score, snapshot()), curve=[row(0, *score)])
    waited, started, new = 0, time.monotonic(), 0
    for step in range(1, steps + 1):
        loss, passes = next(taken)
        run.steps = step
        run.forward_passes += passes
        if loss is not None:
            smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        if step % evaluate_every == 0 or step == steps:
            score, waited = judge(step), waited + 1
            if run.best.beaten_by(*score):
                run.best, waited = Best(step, *score, snapshot(), run.best.base_correct), 0
            run.curve.append(row(step, *score))
            if patience is not None and waited >= patience and step < steps:
                run.stopped = "early stop"
                break
        if on_progress and loss is not None:
            new += 1
            speed = new / max(time.monotonic() - started, 1e-9)
            last = run.curve[-1]
            validation = last["validation_accuracy"], last["validation_loss"]
            on_progress(
                Progress(step, steps, smooth, *validation, run.best.step, speed, (steps - step) / speed)
            )
    return run
