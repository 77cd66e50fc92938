"""Before and after on the same samples: what changed, for whom, and whether it could be chance."""

from collections.abc import Sequence

import numpy as np

from stepforward.intervals import mcnemar, paired_difference, wilson
from stepforward.scores import Score


def comparison(before: Score, after: Score, class_names: Sequence[str]) -> dict:
    """The entries of `result.json` that compare two scores of the same samples.

    Intervals are 95 %, as pairs (low, high) of shares: Wilson's for an accuracy, the paired one for a difference.
    """
    gained, lost = int((after.right & ~before.right).sum()), int((before.right & ~after.right).sum())
    return {
        "zero_shot_interval": list(wilson(before.correct, before.count)),
        "adapted_interval": list(wilson(after.correct, after.count)),
        "difference_interval": list(paired_difference(gained, lost, before.count)),
        "gained": gained,
        "lost": lost,
        "mcnemar_p": mcnemar(gained, lost),
        "zero_shot_mean_recall": before.mean_recall,
        "adapted_mean_recall": after.mean_recall,
        "per_class": [_class(before, after, label, str(name)) for label, name in enumerate(class_names)],
    }


def _class(before: Score, after: Score, label: int, name: str) -> dict:
    """One class: its samples and their recall; None where it has no samples."""
    old, new = (score.right[score.labels == label] for score in (before, after))
    count, gained, lost = len(old), int((new & ~old).sum()), int((old & ~new).sum())
    return {
        "name": name,
        "samples": count,
        "recall_before": float(np.mean(old)) if count else None,
        "recall_after": float(np.mean(new)) if count else None,
        "gained": gained,
        "lost": lost,
        "difference_interval": list(paired_difference(gained, lost, count)) if count else None,
    }
