"""One run of the product, as `stepforward adapt` makes it, with its test accuracy at every validation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

import stepforward as sf
from learning.clock import Times, Watch
from learning.tasks.task import Task
from stepforward.run.integers import IntegerLearner
from stepforward.run.session import Score, Session
from stepforward.settings import Settings

OF_THE_BASE = "bits"
"""The setting of a candidate that the base is quantized with."""


class Seen(NamedTuple):
    """What the bench saw at a validation: the test accuracy, where it was measured, and the processor's seconds till
    then, without those of the test samples."""

    test: float | None
    seconds: float


def resolved(train: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Every setting as the run uses it."""
    return asdict(Settings(train=train, seed=seed, threads=1, **settings))


def run(task: Task, train: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Adapt, with one thread.

    Returns:
        What a row says of a run (see `outcome`).
    """
    given = {name: value for name, value in settings.items() if name != OF_THE_BASE}
    base = task.base(settings.get(OF_THE_BASE, Settings.bits))
    watch = Watch()
    with watched(watch) as seen:
        result = sf.adapt(
            base, task.data, test=task.test, train=train, seed=seed, threads=1, progress=False, **given
        )
    return outcome(
        zero_shot=result["zero_shot_accuracy"],
        adapted=result["adapted_accuracy"],
        kept_step=result["kept_step"],
        steps=result["steps"],
        forward_passes=result["forward_passes"],
        passes_before=sum(
            result[name]["forward_passes"]
            for name in ("search", "first_stage", "head_start", "bias_start")
            if name in result
        ),
        curve=result["curve"],
        seen=seen,
        times=watch.read(),
        parameters=result["trainable_parameters"],
    )


@contextmanager
def watched(watch: Watch) -> Iterator[list[Seen]]:
    """While it lasts, every validation of a run also measures the test samples, off the clock; gives what was seen.

    Validations are points of the curve. A run judges its weights more often, to see whether it diverges.
    """
    judged, validation = IntegerLearner.judged, Session.validation
    learner: list[IntegerLearner] = []
    seen: list[Seen] = []

    def remembered(own: IntegerLearner) -> Any:
        learner[:] = [own]
        return judged(own)

    def both(session: Session, step: int, judge: Callable[[], Score]) -> Score:
        score, seconds = validation(session, step, judge), watch.read().cpu
        with watch.paused():
            seen.append(Seen(learner[0].score("test").accuracy, seconds))
        return score

    IntegerLearner.judged, Session.validation = remembered, both  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        IntegerLearner.judged, Session.validation = judged, validation  # type: ignore[method-assign]


def outcome(
    *,
    zero_shot: float,
    adapted: float,
    kept_step: int,
    steps: int,
    forward_passes: int,
    passes_before: int = 0,
    curve: list[dict[str, Any]],
    seen: list[Seen],
    times: Times,
    parameters: int,
) -> dict[str, Any]:
    """What a row says of any run: accuracies, cost, and the curve.

    Args:
        zero_shot, adapted: accuracies on the test samples.
        kept_step, steps, parameters: of the run.
        forward_passes: of its steps; `passes_before` the first.
        curve: its validations, and `seen` what the bench saw at each.
        times: without those of the test samples.

    Returns:
        Among others `curve`: step, validation loss, validation and test accuracy, seconds of the processor.
    """
    points = [
        [
            row["step"],
            _short(row["validation_loss"]),
            _short(row["validation_accuracy"]),
            _short(own.test),
            round(own.seconds, 2),
        ]
        for row, own in zip(curve, seen, strict=True)
    ]
    kept = next((point for point in points if point[0] == kept_step), points[0])
    return {
        "zero_shot": _short(zero_shot),
        "adapted": _short(adapted),
        "last": points[-1][3],
        "kept_step": kept_step,
        "steps": steps,
        "parameters": parameters,
        "base_loss": points[0][1],
        "validation_loss": kept[1],
        "forward_passes": forward_passes,
        "passes_before": passes_before,
        "wall": round(times.wall, 2),
        "cpu": round(times.cpu, 2),
        "curve": points,
    }


def _short(value: float | None) -> float | None:
    """Five digits are enough, and a diverged loss has none."""
    return None if value is None or value != value or abs(value) == float("inf") else float(f"{value:.5g}")
