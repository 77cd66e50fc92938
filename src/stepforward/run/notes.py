"""What a user should know about a run besides its figures."""

import numpy as np

from stepforward.data.dataset import Dataset
from stepforward.program.model import Program
from stepforward.program.training_plan import TrainingPlan, quanta
from stepforward.run.training import Run

_MOST_CLASSES = 5
_WHY = {
    "test": "never worse holds for the held-out samples that chose the weights, not for others",
    "validation": "the weights were chosen by the mean over classes (--balance), which rose",
}


def notes(program: Program, plan: TrainingPlan, run: Run) -> list[str]:
    """Tensors that could not move, and a run that did not help."""
    moves = quanta(program, plan)
    found = []
    still = [name for name, (probe, _) in moves.items() if probe < 0.5]
    if still:
        found.append(
            f"epsilon is below half a quantum of {_names(still)}: probes do not move there; use a larger epsilon"
        )
    slow = [name for name, (_, step) in moves.items() if step / plan.directions < 0.01]
    if slow:
        found.append(
            f"the learning rate is far below a quantum of {_names(slow)}: hardly anything moves there"
        )
    if not run.best.step:
        found.append("no weights seen were better on the validation samples: the base is returned unchanged")
    return found


def harm(result: dict) -> list[str]:
    """What got worse on the samples that were measured: all in all, and for single classes.

    Args:
        result: entries of `result.json`.
    """
    found, on = [], result["measured_on"]
    before, after = 100 * result["zero_shot_accuracy"], 100 * result["adapted_accuracy"]
    if after < before:
        noise = "beyond" if result["difference_interval"][1] < 0 else "within"
        found.append(
            f"accuracy on the {on} samples fell from {before:.1f} to {after:.1f} %, {noise} the noise of "
            f"{result['samples'][on]:,} samples: {_WHY[on]}"
        )
    fallen = [
        c for c in result["per_class"] if c["samples"] and c["difference_interval"][1] < 0
    ]  # beyond the noise of the class's own samples
    if fallen:
        fallen.sort(key=lambda c: c["recall_after"] - c["recall_before"])
        shown = [
            f"{c['name']} ({100 * c['recall_before']:.0f} to {100 * c['recall_after']:.0f} %, {c['samples']} samples)"
            for c in fallen
        ]
        remedy = "" if result["settings"]["balance"] else "; --balance makes every class count alike"
        found.append(f"fewer samples are classified correctly of {_some(shown, _MOST_CLASSES)}{remedy}")
    return found


def one_sided(dataset: Dataset, samples: str) -> list[str]:
    """What accuracy on these samples cannot say, because classes of the network have none among them.

    Args:
        samples: what the samples are called, such as "samples" or "test samples".
    """
    present = np.unique(dataset.y).tolist()
    names = [repr(name) for label, name in enumerate(dataset.class_names) if label not in present]
    if not names:
        return []
    if len(present) == 1:
        return [
            f"accuracy says nothing: all {len(dataset):,} {samples} are of one class, "
            f"{dataset.class_names[present[0]]!r}; add samples of {_some(names, _MOST_CLASSES)}"
        ]
    return [
        f"{len(names):,} of {len(dataset.class_names):,} classes have no {samples}, and accuracy says nothing about "
        f"them: {_some(names, _MOST_CLASSES)}"
    ]


def _some(names: list[str], most: int, kind: str = "") -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more{kind}" if len(names) > most else "")


def _names(names: list[str]) -> str:
    return _some(names, 3, " tensors")
