"""The settings of the run that a journal belongs to, checked: a journal may come from anybody."""

import math
import re
from typing import Any, NamedTuple

from stepforward.arithmetic.version import ARITHMETIC
from stepforward.errors import StepforwardError
from stepforward.journal import Journal
from stepforward.methods.table import INTEGERS, METHODS
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.run.saliency import Masks, masks_of
from stepforward.settings import DECIDING, KINDS, TABLE, Settings

UNSAID = {name: row.unsaid for name, row in TABLE.items() if row.unsaid is not None}
UNSAID |= {"arithmetic": 1, "balance": False, "method": "qzo-ff"}
"""What a journal means where it does not say it: most was written before these settings existed."""

OF_A_RUN = ("data_sha256", "batch", "balance", "evaluate_every", "patience", "package", "most_steps")
"""What a journal may say besides what moves the weights; a device's says less."""

_TYPES = {name: KINDS[name][0] for name in (*DECIDING, *OF_A_RUN) if name in KINDS}
_TYPES |= {"arithmetic": int, "method": str, "base_sha256": str, "data_sha256": str, "package": str}
_SHORT = 60


class Recorded(NamedTuple):
    """The settings that decide the weights.

    Attributes:
        base_sha256: of the weights section the run started from.
        trainable: names of the tensors that move, in the program's order.
        steps: everything else.
    """

    base_sha256: str
    trainable: tuple[str, ...]
    steps: Settings


def recorded_settings(journal: Journal, source: str) -> Recorded:
    """The settings of a run, from its journal.

    Raises:
        StepforwardError: the journal was written with another arithmetic, it lacks a setting, holds one that is
            unknown, of a wrong type or out of range, or more steps than its run has.
    """
    settings = UNSAID | journal.settings
    _check_arithmetic(settings, source)
    of_steps = set(DECIDING)
    needed = {"base_sha256", "trainable"} | of_steps
    missing = sorted(needed - settings.keys())
    if missing:
        raise StepforwardError(
            f"{source} lacks the settings of a run: {', '.join(missing)}", "give the journal of a run folder"
        )
    unknown = sorted(settings.keys() - needed - {"arithmetic", "method", *OF_A_RUN})
    if unknown:
        raise StepforwardError(
            f"{source} holds settings that this release does not know: {', '.join(map(_short, unknown[:4]))}",
            _release(settings),
        )
    for name, value in settings.items():
        if not _right_type(name, value):
            raise _refused(source, f"{name} = {_short(value)}")
    if settings["directions"] != journal.directions:
        raise _refused(source, f"directions = {settings['directions']}, in records of {journal.directions}")
    listed = METHODS.get(settings["method"])
    if listed is None or listed.needs != INTEGERS:
        raise _refused(source, f"method = {_short(settings['method'])}")
    if journal.matching and settings["first_stage"] != "match":
        raise _refused(source, "constants of matching, in a run without a first stage")
    if journal.ranges and settings["ranges"] != "samples":
        raise _refused(source, "finer steps, in a run with the ranges that were given")
    if journal.start is not None and settings["head_start"] == "none":
        raise _refused(source, "a last layer to begin with, in a run without a head start")
    if journal.biases is not None and settings["bias_start"] == "none":
        raise _refused(source, "biases to begin with, in a run without a bias start")
    if journal.probes and not (settings["sparsity"] and settings["mask"] == "saliency"):
        raise _refused(source, "votes of probes, in a run without a saliency mask")
    try:
        steps = Settings(**{name: value for name, value in settings.items() if name in {*of_steps, "method"}})
    except StepforwardError as error:
        raise _refused(source, error.what[:_SHORT]) from error
    if journal.scales and steps.votes != "graded":
        raise _refused(source, f"graded votes, where votes = {_short(steps.votes)}")
    if steps.votes == "graded" and journal.votes.any() and len(journal.votes) not in journal.scales:
        raise _refused(source, "graded votes without their scale")
    most = journal.legs[-1].steps if journal.legs else steps.steps
    if len(journal.votes) > most:
        raise _refused(source, f"{len(journal.votes)} steps of {most}")
    return Recorded(settings["base_sha256"], tuple(settings["trainable"]), steps)


def trainable_indices(recorded: Recorded, program: Program, source: str) -> list[int]:
    """The parameters that move.

    Raises:
        StepforwardError: the program has no such parameter, or they are not each named once, in the program's order.
    """
    index = {tensor.name: position for position, tensor in enumerate(program.parameters)}
    unknown = next((name for name in recorded.trainable if name not in index), None)
    if unknown is not None:
        raise _refused(source, f"the model has no parameter {_short(unknown)}")
    indices = [index[name] for name in recorded.trainable]
    if indices != sorted(set(indices)):
        raise _refused(source, "its trainable tensors are not each named once, in the model's order")
    return indices


def recorded_masks(recorded: Recorded, plan: TrainingPlan, journal: Journal, source: str) -> Masks:
    """The saliency masks that a journal's probes make, by tensor; none of a run without.

    Raises:
        StepforwardError: it lacks the probes, or they leave nothing to move.
    """
    settings = recorded.steps
    if not (settings.sparsity and settings.mask == "saliency" and plan.voted):
        return {}
    if not journal.probes:
        raise _refused(source, "it lacks the votes of probes that its mask is made of")
    try:
        return masks_of(plan, settings, journal.probes)
    except StepforwardError as error:
        raise _refused(source, error.what[:_SHORT]) from error


def _check_arithmetic(settings: dict, source: str) -> None:
    version = settings["arithmetic"]
    if type(version) is not int or version < 1:
        raise _refused(source, f"arithmetic = {_short(version)}")
    if version != ARITHMETIC:
        raise StepforwardError(
            f"{source} was written with arithmetic version {_short(version)}, this release computes with "
            f"version {ARITHMETIC}: the weights would differ",
            _release(settings),
        )


def _release(settings: dict) -> str:
    """Where a journal can be read that this release cannot."""
    package = settings.get("package")
    if isinstance(package, str) and re.fullmatch(r"\d{1,4}(\.\d{1,4}){1,3}[a-z0-9.+]{0,20}", package):
        return f"use the release it was written with: pip install stepforward=={package}"
    return "use the release it was written with"


def _right_type(name: str, value: Any) -> bool:
    if name == "patience" and value is None:
        return True
    if name == "trainable":
        return isinstance(value, list) and value != [] and all(isinstance(entry, str) for entry in value)
    if _TYPES[name] is int:
        return type(value) is int and 0 <= value < 2**64
    if _TYPES[name] is float:
        return type(value) in (int, float) and abs(value) < 2**64 and math.isfinite(value)
    return type(value) is _TYPES[name]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value.isprintable() and value else repr(value)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _refused(source: str, what: str) -> StepforwardError:
    return StepforwardError(
        f"{source} is not the journal of a run: {what}", "restore it from a copy, or start a new run"
    )
