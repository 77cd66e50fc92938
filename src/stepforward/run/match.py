"""The story of a matching: measure the samples, match site by site, keep it where held-out samples say so; then steps,
where they are asked for."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import stepforward
from stepforward import journal as journals
from stepforward.arithmetic.matching import STRENGTHS, WHOLE, Constants
from stepforward.data.dataset import Dataset
from stepforward.data.split import Split, split
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.intervals import Interval
from stepforward.journal import MatchedSite, written_by
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.matching.matched import matched
from stepforward.matching.sites import sites
from stepforward.matching.words import from_words
from stepforward.program.model import Program
from stepforward.run.attempt import MATCHED, Attempt, SiteChange, attempt, both_scores
from stepforward.run.comparison import Comparison, comparison
from stepforward.run.folder import JOURNAL
from stepforward.run.informing import Informed, inform
from stepforward.run.progress import OnProgress
from stepforward.run.result import OPTIONAL, Entries
from stepforward.settings import Settings
from stepforward.sources.source import Source, check_scales


class Samples(NamedTuple):
    """The data of a matching.

    Attributes:
        data: samples to match on; labels are zeros where `labelled` is False.
        labelled: whether they are known.
        test: labelled samples to measure on, or None.
        data_name, test_name: as they were given.
    """

    data: Dataset
    labelled: bool
    test: Dataset | None
    data_name: str | None
    test_name: str | None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MatchResult(Entries):
    """The entries of `result.json` of a matching.

    Attributes:
        source: the model, and `data` and `test`, as people know them.
        kept: "matched", or "base: " and why.
        sites: one entry for each, in order.
        strength: of the matching that did best, 0 to 1; sites and distances are those of this one.
        information_before, information_after: bits that a prediction says of its sample, without the matching and with
            it; None where labels are known.
        steps: that followed the matching, and `kept_step` after how many of them predictions said most of held-out
            samples: `steps_information_before` and `steps_information_after`, in bits; None where none were taken.
        distance_before, distance_after: of held-out samples, summed over the sites, in units of what is usual.
        samples: how many were matched on, held out, and tested on.
        measured_on: "test" or "held-out", or None where no labels are known; then there is no accuracy either.
        constants_bytes: what the constants of the corrected sites take.
        forward_passes: samples sent through the network, each as a whole.
        Others as of `RunResult`.
    """

    source: str = field(metadata={"key": "model"})
    data: str | None
    test: str | None
    method: str = "match"
    bits: str
    kept: str
    strength: float
    information_before: float | None
    information_after: float | None
    steps: int
    kept_step: int
    steps_information_before: float | None
    steps_information_after: float | None
    sites: tuple[SiteChange, ...]
    distance_before: float
    distance_after: float
    samples: dict[str, int | None]
    measured_on: str | None
    zero_shot_accuracy: float | None = None
    adapted_accuracy: float | None = None
    zero_shot_loss: float | None = None
    adapted_loss: float | None = None
    zero_shot_interval: Interval | None = None
    adapted_interval: Interval | None = None
    difference_interval: Interval | None = None
    gained: int | None = None
    lost: int | None = None
    constants_bytes: int
    seconds: float
    forward_passes: int
    journal_bytes: int
    base_sha256: str
    weights_sha256: str
    class_names: list[str]
    settings: dict[str, Any]
    stepforward: str
    notes: list[str]
    command: str | None = field(default=None, metadata=OPTIONAL)
    out: str | None = field(default=None, metadata=OPTIONAL)


def run_matching(
    opened: Source,
    samples: Samples,
    settings: Settings,
    folder: Path | None,
    on_progress: OnProgress | None = None,
) -> tuple[MatchResult, Source, Program]:
    """Match a model in fixed point to samples; returns the result, the model and its program.

    Args:
        opened: the model, completed.
        samples: as its preprocessing makes them.
        settings: of the run: `validation`, `seed` and `threads` count, and with `steps` also `directions` and `batch`.
        folder: where its journal is kept, or None.
        on_progress: called after every step.

    Raises:
        StepforwardError: the model is a float one, or carries no statistics; steps with labels.
    """
    if settings.steps and samples.labelled:
        raise StepforwardError(
            f"steps = {settings.steps} with method = 'match', and the samples have labels",
            "leave steps out, or learn from the labels: --method qzo-ff, which matches first where that helps; steps "
            "of match are for samples without labels",
        )
    if opened.is_float:
        raise StepforwardError(
            f"{opened.name} is a float model, and matching goes back to what a quantized one measured on its own data",
            "quantize it on its training data: stepforward quantize MODEL --data SOURCE_DATA --out FILE; "
            "then give FILE",
        )
    check_scales(opened, "--method match")
    program = lower(opened.network())
    references = from_words(opened.statistics, program, opened.name)
    train, held = _parts(samples, settings)
    integers = quantize_input(program, samples.data.x)
    x, held_x = integers[train], integers[held]
    started = time.monotonic()
    y = samples.data.y[held] if samples.labelled else None
    tried = attempt(program, references, x, held_x, y, settings.threads, settings.balance, STRENGTHS)
    informed = None
    if settings.steps:
        informed = inform(program, references, tried.made, x, held_x, settings, on_progress)
        tried = _with_steps(tried, informed)
    seconds = time.monotonic() - started
    compared = _compared(program, tried, samples, settings)
    size = _journal(folder, program, tried.made, _header(program, integers, settings))
    result = MatchResult(
        source=opened.name,
        data=samples.data_name,
        test=samples.test_name,
        bits=opened.bits,
        kept=tried.kept,
        strength=tried.strength / WHOLE,
        information_before=_bits(tried, 0),
        information_after=_bits(tried, 1),
        steps=settings.steps,
        kept_step=informed.kept_step if informed else 0,
        steps_information_before=informed.before / 65536 if informed else None,
        steps_information_after=informed.after / 65536 if informed else None,
        sites=tried.changes,
        distance_before=tried.before / 256,
        distance_after=tried.after / 256,
        samples={
            "train": len(x),
            "validation": len(held_x),
            "test": None if samples.test is None else len(samples.test),
        },
        **compared,
        constants_bytes=tried.constants_bytes,
        seconds=seconds,
        forward_passes=tried.forward_passes,
        journal_bytes=size,
        base_sha256=program.weights_sha256,
        weights_sha256=tried.program.weights_sha256,
        class_names=list(samples.data.class_names),
        settings=asdict(settings),
        stepforward=stepforward.__version__,
        notes=[
            *opened.notes,
            *samples.data.notes,
            *_notes(references, program, tried),
            *_notes_of_steps(informed, samples, program.tensors[program.output].elements),
        ],
    )
    return result, written(opened, tried.program, tried.made) if tried.made else opened, tried.program


def written(opened: Source, program: Program, made: Collection[str]) -> Source:
    """The model with the constants of a matched program, from which lowering makes that program again.

    The statistics go: they are those of the base.
    """
    tensors = [program.tensors[index] for op in program.ops if op.name in made for index in op.parameters]
    model = opened.with_weights(network_weights(program)).with_scales({t.name: t.scale for t in tensors})
    return model.with_words(statistics={})


def recorded_program(program: Program, recorded: Sequence[MatchedSite], source: str) -> Program:
    """The base with the constants of a journal.

    Raises:
        StepforwardError: they do not fit it.
    """
    if not recorded:
        return program
    by_place = {site.place: site.name for site in sites(program)}
    try:
        made = {by_place[one.op]: Constants(one.ratio, one.bias, one.weights) for one in recorded}
        return matched(program, made)
    except (KeyError, ValueError) as error:
        raise StepforwardError(
            f"{source} is not the journal of a run: its matching does not fit the model ({error})",
            "restore it from a copy, or start a new run",
        ) from error


def recorded_sites(program: Program, made: Mapping[str, Constants]) -> list[MatchedSite]:
    """The constants as a journal records them."""
    return [MatchedSite(site.place, *made[site.name]) for site in sites(program) if site.name in made]


def _parts(samples: Samples, settings: Settings) -> Split:
    """Samples to match on and samples to choose by: the same where there is one alone."""
    if len(samples.data) > 1:
        return split(samples.data, settings.validation, settings.seed)
    return Split(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))


def _compared(program: Program, tried: Attempt, samples: Samples, settings: Settings) -> dict[str, Any]:
    """Accuracy before and after, where labels are known; the fields of a `MatchResult`."""
    if samples.test is not None:
        x = quantize_input(program, samples.test.x)
        scores, on = both_scores(program, tried.program, x, samples.test.y, settings.threads), "test"
    elif tried.scores is None:
        return {"measured_on": None}
    else:
        before, after = tried.scores
        scores, on = (before, after if tried.kept == MATCHED else before), "held-out"
    names = [entry for entry in Comparison.__dataclass_fields__ if entry in MatchResult.__dataclass_fields__]
    compared = comparison(*scores, on, samples.data.class_names)
    return {name: getattr(compared, name) for name in names}


def _with_steps(tried: Attempt, informed: Informed) -> Attempt:
    """What was tried, with the steps that followed where they helped."""
    passes = tried.forward_passes + informed.forward_passes
    if not informed.kept_step:
        return tried._replace(forward_passes=passes)
    return tried._replace(program=informed.program, made=informed.made, kept=MATCHED, forward_passes=passes)


def _bits(tried: Attempt, place: int) -> float | None:
    """Of the information before or after."""
    return None if tried.information is None else tried.information[place] / 65536


def _header(program: Program, x: NDArray[np.integer], settings: Settings) -> dict[str, Any]:
    """Everything that decides the constants."""
    digest = hashlib.sha256(np.ascontiguousarray(x).tobytes())
    steps = {name: getattr(settings, name) for name in ("steps", "directions", "batch")}
    return {
        "method": settings.method,
        "base_sha256": program.weights_sha256,
        "data_sha256": digest.hexdigest(),
        "seed": settings.seed,
        "validation": settings.validation,
        **(steps if settings.steps else {}),
        **written_by(),
    }


def _journal(folder: Path | None, program: Program, made: Mapping[str, Constants], header: dict) -> int:
    """Write the journal; returns its bytes."""
    if folder is None:
        return 0
    writer = journals.JournalWriter.create(folder / JOURNAL, header, 1)
    for site in recorded_sites(program, made):
        writer.matching(site)
    writer.end(0, journals.REASONS[0])
    writer.close()
    return (folder / JOURNAL).stat().st_size


def _notes_of_steps(informed: Informed | None, samples: Samples, classes: int) -> list[str]:
    if informed is None:
        more = "no steps were taken: where the samples hold all classes about alike, --steps 40 usually adds points"
        return [] if samples.labelled else [more]
    if not informed.kept_step or informed.classes >= classes / 2:
        return []
    return [
        f"before the steps, predictions spread over about {informed.classes:.1f} of {classes} classes, and steps "
        "spread them over all: where the samples hold only a few, leave --steps out"
    ]


def _notes(references: Mapping[str, Any], program: Program, tried: Attempt) -> list[str]:
    constant = sum(int((reference.deviation == 0).sum()) for reference in references.values())
    channels = sum(len(reference.mean) for reference in references.values())
    notes = [f"{constant} of {channels} channels are constant and were left alone"] if constant else []
    said = tried.information
    if said is not None and (tried.strength < WHOLE or said[1] < said[0]):
        notes.append(
            "corrected whole, the model's predictions would say less about these samples; --follow corrects whole, so "
            "follow no stream of such samples"
        )
    return notes
