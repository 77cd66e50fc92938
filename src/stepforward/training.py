"""The fixed-point run: steps, journal, validation, early stop, resume. Everything here is decided by integers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stepforward.engines.protocol import Engine
from stepforward.journal import Journal, JournalWriter
from stepforward.keep_best import Best, start
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.progress import OnProgress, Progress
from stepforward.scores import NATS, Score


@dataclass
class Run:
    """What a run leaves behind.

    Attributes:
        best: the weights that are kept.
        steps: steps taken.
        stopped: why it ended.
        forward_passes: samples sent through the network while training, by this process.
        curve: one row per validation: step, train_loss, validation_loss (nats), validation_accuracy.
    """

    best: Best
    steps: int = 0
    stopped: str = "all steps done"
    forward_passes: int = 0
    curve: list[dict] = field(default_factory=list)


def train(
    engine: Engine,
    batches: Callable[[int], tuple],
    validate: Callable[[], Score],
    journal: JournalWriter,
    recorded: Journal | None,
    *,
    validation_count: int,
    steps: int,
    directions: int,
    evaluate_every: int,
    patience: int | None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Take all steps, first those a journal already holds, then new ones.

    Recorded steps are applied from their votes, without a forward pass, and recorded validations are believed: the
    weights after every step are the same whether a run was interrupted or not.
    """
    known = {e.step: (e.correct, e.loss) for e in recorded.evaluations} if recorded else {}
    past = recorded.votes if recorded else ()
    live = qzo_ff(engine, batches, range(len(past), steps), directions)

    def judge(step: int) -> tuple[int, int]:
        if step not in known:
            result = validate()
            known[step] = result.correct, int(result.loss)
            journal.evaluation(*known[step])
        return known[step]

    def row(step: int) -> dict:
        correct, loss = known[step]
        return {
            "step": step,
            "train_loss": smooth,
            "validation_loss": loss * NATS / validation_count,
            "validation_accuracy": correct / validation_count,
        }

    smooth, waited = None, 0
    correct, loss = judge(0)
    run = Run(start(correct, loss, engine.weights()), curve=[row(0)])
    started, first_live = time.monotonic(), len(past)
    for step in range(1, steps + 1):
        if step <= len(past):
            engine.update(step - 1, past[step - 1])
        else:
            taken = next(live)
            journal.votes(taken.votes)
            run.forward_passes += len(taken.losses) * taken.samples
            now = sum(taken.losses) / (len(taken.losses) * taken.samples) * NATS
            smooth = now if smooth is None else 0.9 * smooth + 0.1 * now
        run.steps = step
        if step % evaluate_every == 0 or step == steps:
            correct, loss = judge(step)
            waited += 1
            if run.best.beaten_by(correct, loss):
                run.best = Best(step, correct, loss, engine.weights(), run.best.base_correct)
                waited = 0
            run.curve.append(row(step))
            if patience is not None and waited >= patience and step < steps:
                run.stopped = "early stop"
                break
        if on_progress and step > len(past):
            speed = (step - first_live) / max(time.monotonic() - started, 1e-9)
            left = (steps - step) / speed
            last = run.curve[-1]
            validation = last["validation_accuracy"], last["validation_loss"]
            on_progress(Progress(step, steps, smooth, *validation, run.best.step, speed, left))
    return run
