"""What a journal says of the run it belongs to, and whether a resumed run is that run."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from stepforward.errors import StepforwardError
from stepforward.journal import Journal, written_by
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.run.recorded import UNSAID
from stepforward.settings import Settings


def journal_settings(
    settings: Settings, program: Program, plan: TrainingPlan, samples: dict, every: int
) -> dict:
    """Everything that decides the weights: a resumed run must agree on all of it."""
    x, y = samples["train"]
    held_x, held_y = samples["validation"]
    digest = hashlib.sha256()
    for part in (x, y, held_x, held_y):
        digest.update(np.ascontiguousarray(part).tobytes())
    extended = {"most_steps": settings.most_steps} if settings.most_steps else {}
    said = {} if settings.method == UNSAID["method"] else {"method": settings.method}
    return {
        **said,
        **extended,
        **settings.with_steps(plan.steps).deciding(),
        "base_sha256": program.weights_sha256,
        "data_sha256": digest.hexdigest(),
        "trainable": [program.tensors[entry.tensor].name for entry in plan.trainable],
        "batch": settings.batch,
        "balance": settings.balance,
        "evaluate_every": every,
        "patience": settings.patience,
        **written_by(),
    }


def check_same_run(recorded: Journal, header: dict, path: Path) -> None:
    """Refuse to resume with another model, other data or other settings. Another release of one arithmetic may resume.

    Raises:
        StepforwardError: what differs, by name.
    """
    there, now = UNSAID | recorded.settings, UNSAID | header
    names = (now.keys() | there.keys()) - {"arithmetic", "package"}
    different = sorted(k for k in names if now.get(k) != there.get(k))
    if not different:
        return
    if "base_sha256" in different:
        what, remedy = f"{path} belongs to another base model", "give the model the run was started with"
    elif different == ["data_sha256"]:
        what, remedy = (
            f"{path} was started with other data",
            "give the same data, or start a new run in another --out",
        )
    else:
        said = ", ".join(f"{k} {_said(there.get(k))} there, {_said(now.get(k))} now" for k in different[:4])
        what, remedy = (
            f"{path} was started with other settings: {said}",
            "resume with the options of the first call",
        )
    raise StepforwardError(what, remedy)


def check_evaluations(recorded: Journal, samples: int, path: Path) -> None:
    """Refuse validations that cannot have been measured on this many samples.

    Raises:
        StepforwardError: naming the step.
    """
    wrong = next((e for e in recorded.evaluations if e.correct > samples), None)
    if wrong is not None:
        raise StepforwardError(
            f"{path} is damaged: at step {wrong.step} {wrong.correct} of {samples} validation samples are correct",
            "restore it from a copy, or start a new run",
        )


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
