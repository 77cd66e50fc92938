"""Before and after on the same samples: what changed, for whom, and whether it could be chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stepforward.intervals import Interval, mcnemar, paired_difference, wilson
from stepforward.scores import Score


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class: its samples and their recall; None where it has no samples."""

    name: str
    samples: int
    recall_before: float | None
    recall_after: float | None
    gained: int
    lost: int
    difference_interval: Interval | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two scores of the same samples, "zero-shot" before and "adapted" after.

    Attributes:
        zero_shot_accuracy, adapted_accuracy: shares of correct samples.
        zero_shot_loss, adapted_loss: nats per sample.
        measured_on: "test", or "validation" where no test data was given.
        zero_shot_interval, adapted_interval: 95 %, Wilson's.
        difference_interval: 95 %, the paired one, of the difference of accuracies.
        gained, lost: samples that turned right, and wrong.
        mcnemar_p: mid-p of McNemar's test.
        zero_shot_mean_recall, adapted_mean_recall: accuracy where every class counts alike.
        per_class: one for each class.
        confusion_before, confusion_after: counts, one row per true class.
    """

    zero_shot_accuracy: float
    adapted_accuracy: float
    zero_shot_loss: float
    adapted_loss: float
    measured_on: str
    zero_shot_interval: Interval
    adapted_interval: Interval
    difference_interval: Interval
    gained: int
    lost: int
    mcnemar_p: float
    zero_shot_mean_recall: float
    adapted_mean_recall: float
    per_class: tuple[ClassChange, ...]
    confusion_before: list[list[int]]
    confusion_after: list[list[int]]


def comparison(before: Score, after: Score, measured_on: str, class_names: Sequence[str]) -> Comparison:
    """Compare two scores of the same samples."""
    gained, lost = int((after.right & ~before.right).sum()), int((before.right & ~after.right).sum())
    return Comparison(
        zero_shot_accuracy=before.accuracy,
        adapted_accuracy=after.accuracy,
        zero_shot_loss=before.nats,
        adapted_loss=after.nats,
        measured_on=measured_on,
        zero_shot_interval=wilson(before.correct, before.count),
        adapted_interval=wilson(after.correct, after.count),
        difference_interval=paired_difference(gained, lost, before.count),
        gained=gained,
        lost=lost,
        mcnemar_p=mcnemar(gained, lost),
        zero_shot_mean_recall=before.mean_recall,
        adapted_mean_recall=after.mean_recall,
        per_class=tuple(_class(before, after, label, str(name)) for label, name in enumerate(class_names)),
        confusion_before=before.confusion.tolist(),
        confusion_after=after.confusion.tolist(),
    )


def _class(before: Score, after: Score, label: int, name: str) -> ClassChange:
    old, new = (score.right[score.labels == label] for score in (before, after))
    count, gained, lost = len(old), int((new & ~old).sum()), int((old & ~new).sum())
    return ClassChange(
        name=name,
        samples=count,
        recall_before=float(np.mean(old)) if count else None,
        recall_after=float(np.mean(new)) if count else None,
        gained=gained,
        lost=lost,
        difference_interval=paired_difference(gained, lost, count) if count else None,
    )
