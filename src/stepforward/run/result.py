"""The entries of `result.json` that every method shares."""

from collections.abc import Sequence
from dataclasses import asdict

import stepforward
from stepforward.run.comparison import comparison
from stepforward.run.prepare import Prepared
from stepforward.run.training import Run
from stepforward.scores import Score
from stepforward.settings import Settings


def measured(
    before: Score, after: Score, run: Run, seconds: float, measured_on: str, class_names: Sequence[str]
) -> dict:
    """Before and after, and what the run took."""
    kept = f"step {run.best.step}" if run.best.step else "base: nothing helped"
    return {
        "zero_shot_accuracy": before.accuracy,
        "adapted_accuracy": after.accuracy,
        "zero_shot_loss": before.nats,
        "adapted_loss": after.nats,
        "measured_on": measured_on,
        **comparison(before, after, class_names),
        "confusion_before": before.confusion.tolist(),
        "confusion_after": after.confusion.tolist(),
        "kept": kept,
        "kept_step": run.best.step,
        "steps": run.steps,
        "stopped": run.stopped,
        "seconds": seconds,
        "steps_per_second": run.steps / max(seconds, 1e-9),
        "forward_passes": run.forward_passes,
        "curve": run.curve,
    }


def description(prepared: Prepared, settings: Settings, steps: int, every: int) -> dict:
    """What was given: samples, split, settings."""
    test = prepared.test
    return {
        "class_names": list(prepared.train.class_names),
        "samples": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "test": None if test is None else len(test),
        },
        "split": {"train": prepared.split.train.tolist(), "validation": prepared.split.validation.tolist()},
        "settings": {**asdict(settings), "steps": steps, "evaluate_every": every},
        "stepforward": stepforward.__version__,
    }
