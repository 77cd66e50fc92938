"""The first stages of a labelled run, where they help on held-out samples: statistics are matched, ranges refined."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.journal import Journal, MatchedSite
from stepforward.lowering.lower import lower
from stepforward.matching.words import from_words
from stepforward.program.last_layer import Layer
from stepforward.program.model import Program
from stepforward.run.attempt import MATCHED, attempt, score_of
from stepforward.run.match import recorded_sites, written
from stepforward.run.prepare import Prepared
from stepforward.run.ranges import MOST_SAMPLES, Ranges, found, of_scores
from stepforward.run.stage import Stage, of_attempt
from stepforward.run.started import Started
from stepforward.scores import Score, class_weights
from stepforward.settings import Settings

_TO_MATCH = (
    "if you have samples that the model was made for, quantize it on them first (stepforward quantize MODEL --data "
    "SOURCE_DATA --out FILE) and adapt FILE: the run then begins by matching, which often gains more than its steps",
)
"""Of a float model: one that is quantized already may not have another form."""


@dataclass(frozen=True, eq=False)
class Begun:
    """Where the steps of a run begin.

    Attributes:
        prepared: model and data, the model matched and refined, or as it was.
        base: the program before it, or None where the steps begin with the base.
        constants: that the base got, as a journal records them.
        finer: how often the steps of activations were halved after it, by their numbers in the base.
        told: what people read of matching, and `ranges` of finer steps; None without.
        head: the last layer of a head start, and `biases` where a start of theirs has moved them.
        notes: what they should know.
    """

    prepared: Prepared
    base: Program | None = None
    constants: tuple[MatchedSite, ...] = ()
    finer: Mapping[int, int] = field(default_factory=dict)
    told: Stage | None = None
    ranges: Ranges | None = None
    head: Layer | None = None
    biases: bytes | None = None
    notes: tuple[str, ...] = ()

    def then(self, started: Started | None) -> "Begun":
        """The same, with a start of the last layer and of the biases after it."""
        if started is None or (started.layer is None and started.biases is None):
            return self
        return replace(self, base=self.base or started.base, head=started.layer, biases=started.biases)

    @property
    def stages(self) -> tuple[str, ...]:
        """What changed the base before the first step, in words."""
        return tuple(
            words
            for words, made in (
                ("matched", self.constants), ("finer steps", self.finer), ("head start", self.head),
                ("bias start", self.biases),
            )
            if made
        )  # fmt: skip

    def score_before(self, part: str, settings: Settings) -> Score | None:
        """How the base does on a part of the samples, where the steps do not begin with it."""
        if self.base is None:
            return None
        samples = self.prepared.parts[part]
        return score_of(self.base, quantize_input(self.base, samples.x), samples.y, settings.threads)


def begin(prepared: Prepared, settings: Settings, recorded: Journal | None, path: Path | None) -> Begun:
    """Match the model to the training samples and refine its ranges, where the settings say so and held-out samples
    agree.

    All of it is in integers, so a resumed run finds again what its journal holds.

    Args:
        prepared: model and data.
        settings: of the run.
        recorded: the journal of a run that is resumed, and `path` its file.

    Raises:
        StepforwardError: the model's statistics do not fit it, or the journal holds other constants or ranges.
    """
    begun = _matched(prepared, settings, recorded, path)
    return begun if settings.ranges == "given" else _refined(begun, settings, recorded, path)


def _matched(prepared: Prepared, settings: Settings, recorded: Journal | None, path: Path | None) -> Begun:
    if settings.first_stage == "none":
        return Begun(prepared)
    opened = prepared.opened
    if why := opened.why_scales_stay:
        return Begun(prepared, told=Stage(kept=f"base: {why}"), notes=(f"not matched first: {why}",))
    if opened.is_float or not opened.statistics:
        why = "the model does not say what its activations are on the data it was made for"
        return Begun(prepared, told=Stage(kept=f"base: {why}"), notes=_TO_MATCH if opened.is_float else ())
    program = lower(opened.network())
    known = from_words(opened.statistics, program, opened.name)
    # weights stay as they are: steps move them
    references = {name: one._replace(patches=None) for name, one in known.items()}
    x, held = (quantize_input(program, part.x) for part in (prepared.train, prepared.validation))
    tried = attempt(
        *(program, references, x, held, prepared.validation.y, settings.threads, settings.balance),
        temperature=settings.watching_temperature,
    )
    constants = tuple(recorded_sites(program, tried.made))
    if recorded is not None:
        _check_same(constants, recorded, path)
    told = of_attempt(tried, settings.watching_temperature)
    if tried.kept != MATCHED:
        return Begun(prepared, told=told)
    model = written(opened, tried.program, tried.made)
    return Begun(replace(prepared, opened=model), program, constants, told=told)


def _refined(begun: Begun, settings: Settings, recorded: Journal | None, path: Path | None) -> Begun:
    """With finer steps where samples use less than half of a range."""
    prepared, opened = begun.prepared, begun.prepared.opened
    most = {} if opened.is_float else opened.refinable
    if not most:
        return begun
    program, held = lower(opened.network()), prepared.validation
    finer = found(most, program, quantize_input(program, prepared.train.x), settings.threads)
    changed, told = program, None
    if finer:
        named = {program.tensors[index].name: times for index, times in finer.items()}
        opened = opened.with_finer_steps(named)
        changed = lower(opened.network())
        before, after = (
            score_of(
                one, quantize_input(one, held.x), held.y, settings.threads, settings.watching_temperature
            )
            for one in (program, changed)
        )
        told = of_scores(
            *(named, before, after, class_weights(held.y, settings.balance)),
            min(len(prepared.train), MOST_SAMPLES) + 2 * len(held),
            settings.watching_temperature,
        )
        if not told.helped:
            finer = {}
    if recorded is not None and recorded.ranges != finer and (recorded.ranges or recorded.evaluations):
        raise _damaged(path, "its finer steps are not those that these samples lead to")
    if not finer:
        return replace(begun, ranges=told)
    return replace(
        begun,
        prepared=replace(prepared, opened=opened),
        base=begun.base or program,
        finer=finer,
        ranges=told,
    )


def _check_same(constants: tuple[MatchedSite, ...], recorded: Journal, path: Path | None) -> None:
    """Refuse constants that these samples do not lead to; a run may have stopped before it had written all."""
    whole = bool(recorded.evaluations)
    there, now = (
        [(site.op, site.ratio.tolist(), site.bias.tolist()) for site in of]
        for of in (recorded.matching, constants)
    )
    if there != (now if whole else now[: len(there)]):
        raise _damaged(path, "its matching is not the one that these samples lead to")


def _damaged(path: Path | None, why: str) -> StepforwardError:
    return StepforwardError(f"{path} is damaged: {why}", "restore it from a copy, or start a new run")
