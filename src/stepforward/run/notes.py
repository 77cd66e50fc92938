"""What a user should know about a run besides its figures."""

from collections.abc import Sequence

import numpy as np

from stepforward.data.dataset import Dataset
from stepforward.plan.model import TrainingPlan
from stepforward.plan.quanta import quanta
from stepforward.program.model import Program
from stepforward.run.comparison import Comparison
from stepforward.run.complete import doubt
from stepforward.run.legs import LATE
from stepforward.run.prepare import Prepared, repeated
from stepforward.run.training import Run

_MOST_CLASSES = 5
_WHY = {
    "test": "never worse holds for the held-out samples that chose the weights, not for others",
    "validation": "the weights were chosen by the mean over classes (--balance), which rose",
}


def notes(
    prepared: Prepared, compared: Comparison, own: Sequence[str], samples: int, balance: bool
) -> list[str]:
    """What a person should know of the run, in the order in which it came up.

    Args:
        prepared: model and data.
        compared: before and after.
        own: what the network that learned has to say.
        samples, balance: as of `harm`.
    """
    found = [
        *prepared.opened.notes,
        *prepared.train.notes,
        *one_sided(prepared.train, "samples"),
        *((*prepared.test.notes, *one_sided(prepared.test, "test samples")) if prepared.test else ()),
        *doubt(prepared.opened, compared.confusion_before),
        *own,
        *harm(compared, samples, balance),
    ]
    count = repeated(prepared)
    if prepared.test and count:
        found.append(
            f"{count} of {len(prepared.test)} test samples are also in the data: accuracy on them is optimistic"
        )
    return found


def of_training(program: Program, plan: TrainingPlan, run: Run) -> list[str]:
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
    return found + of_course(run)


def unmoved(run: Run, stages: Sequence[str]) -> list[str]:
    """A run whose steps did not help; `stages`: what changed the base before them."""
    if run.best.step:
        return []
    base = "the matched base" if "matched" in stages else "the base"
    others = [f"its {stage}" for stage in stages if stage != "matched"]
    how = f" with {' and '.join(others)}" if others else "" if stages else " unchanged"
    returned = f"{base} is returned{how}"
    return [f"no weights seen were better on the validation samples: {returned}"]


def of_course(run: Run) -> list[str]:
    """A run that was taken back, and what to do about one that ended too early or too late."""
    found = []
    if run.returns:
        last = run.returns[-1]
        times = "once" if len(run.returns) == 1 else f"{len(run.returns)} times"
        found.append(
            f"the run diverged {times} and was taken back, last to step {last.back} with the learning rate "
            f"{last.lr:.2g}; a smaller --lr would have gone straight there"
        )
    best, end = run.best.step, run.steps
    if run.stopped == "all steps done" and best > LATE * end > 0:
        found.append(
            f"the held-out loss still fell at the end (step {best:,} of {end:,}): more --steps, or --most-steps "
            f"{4 * end:,}, may go further"
        )
    if 0 < best < 0.1 * end:
        found.append(
            f"the weights kept are early ones (step {best:,} of {end:,}): the held-out loss rose after them; a smaller "
            "--lr, fewer parameters that move (--train) or more samples may go further"
        )
    return found


def harm(compared: Comparison, samples: int, balance: bool) -> list[str]:
    """What got worse on the samples that were measured: all in all, and for single classes.

    Args:
        compared: before and after.
        samples: that it was measured on.
        balance: whether every class counted alike when the weights were chosen.
    """
    found, on = [], compared.measured_on
    before, after = 100 * compared.zero_shot_accuracy, 100 * compared.adapted_accuracy
    if after < before:
        noise = "beyond" if compared.difference_interval.high < 0 else "within"
        found.append(
            f"accuracy on the {on} samples fell from {before:.1f} to {after:.1f} %, {noise} the noise of "
            f"{samples:,} samples: {_WHY[on]}"
        )
    fallen = [
        (new - old, f"{c.name} ({100 * old:.0f} to {100 * new:.0f} %, {c.samples} samples)")
        for c in compared.per_class
        if (old := c.recall_before) is not None and (new := c.recall_after) is not None
        if c.difference_interval and c.difference_interval.high < 0  # beyond the noise of its own samples
    ]
    if fallen:
        shown = [text for _, text in sorted(fallen, key=lambda pair: pair[0])]
        remedy = "" if balance else "; --balance makes every class count alike"
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
