"""One run of the product, as `stepforward adapt` makes it, with its test accuracy at every validation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import stepforward as sf
from learning.clock import Times, Watch
from learning.tasks.task import Task
from stepforward.run.integers import IntegerLearner
from stepforward.settings import Settings

OF_THE_BASE = "bits"
"""The setting of a candidate that the base is quantized with."""


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
        curve=result["curve"],
        tested=seen,
        times=watch.read(),
        parameters=result["trainable_parameters"],
    )


@contextmanager
def watched(watch: Watch) -> Iterator[list[float]]:
    """While it lasts, every validation also measures the test samples, off the clock; gives their accuracies."""
    judged, seen = IntegerLearner.judged, []

    def both(learner: IntegerLearner) -> Any:
        if "test" in learner.samples:
            with watch.paused():
                seen.append(learner.score("test").accuracy)
        return judged(learner)

    IntegerLearner.judged = both  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        IntegerLearner.judged = judged  # type: ignore[method-assign]


def outcome(
    *,
    zero_shot: float,
    adapted: float,
    kept_step: int,
    steps: int,
    forward_passes: int,
    curve: list[dict[str, Any]],
    tested: list[float],
    times: Times,
    parameters: int,
) -> dict[str, Any]:
    """What a row says of any run: accuracies, cost, and the curve: step, validation loss, validation and test accuracy.

    Test accuracies are left out of the curve where they were not measured at each of its rows.
    """
    aligned = len(tested) == len(curve)
    points = [
        [
            row["step"],
            _short(row["validation_loss"]),
            _short(row["validation_accuracy"]),
            _short(tested[number]) if aligned else None,
        ]
        for number, row in enumerate(curve)
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
        "wall": round(times.wall, 2),
        "cpu": round(times.cpu, 2),
        "curve": points,
    }


def _short(value: float | None) -> float | None:
    """Five digits are enough, and a diverged loss has none."""
    return None if value is None or value != value or abs(value) == float("inf") else float(f"{value:.5g}")
