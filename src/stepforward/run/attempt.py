"""A matching that is tried, at one strength or several: measured on samples, and kept where they say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.matching import WHOLE, Constants, Reference
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.matching.matched import Found, remaining
from stepforward.matching.walk import starts
from stepforward.memory import multiply_accumulates
from stepforward.program.model import Program
from stepforward.run.strengths import Candidate, by_information, candidates
from stepforward.scores import Score, class_weights, score

Weighed = tuple[int, int | float]
"""Correct samples and summed loss, each sample as often as it counts."""

MATCHED = "matched"


@dataclass(frozen=True, kw_only=True)
class SiteChange:
    """One operator: how far the samples were from the reference, in units of what is usual, and what of
    that is corrected, 0 to 1; whether its weights are mixed."""

    name: str
    channels: int
    mean_distance: float
    deviation_distance: float
    share: float
    mixed: bool = False


class Attempt(NamedTuple):
    """A matching that was tried.

    Attributes:
        program: the matched one, or the base where the samples are against it.
        made: the constants of the corrected sites, by name; of none where the base is kept.
        kept: "matched", or "base: " and why.
        strength: of the best candidate, 0 to `WHOLE`; what follows is said of this one.
        found: at every site.
        before, after: distances of held-out samples, as of `matching.matched.remaining`.
        scores: of held-out samples, before and after, where their labels are known.
        information: what predictions say of a sample, before and after, where labels are not known.
        forward_passes: samples sent through the network, each as a whole.
    """

    program: Program
    made: Mapping[str, Constants]
    kept: str
    strength: int
    found: Sequence[Found]
    before: int
    after: int
    scores: tuple[Score, Score] | None
    information: tuple[int, int] | None
    forward_passes: int

    @property
    def changes(self) -> tuple[SiteChange, ...]:
        """What people read of every site."""
        return tuple(_change(one) for one in self.found)

    @property
    def constants_bytes(self) -> int:
        """What the constants of the corrected sites take, and the weights of the mixed ones."""
        return sum(
            6 * len(one.ratio) + (0 if one.weights is None else one.weights.size)
            for one in self.made.values()
        )


def attempt(
    program: Program,
    references: Mapping[str, Reference],
    x: NDArray[np.integer],
    held_x: NDArray[np.integer],
    held_y: NDArray[np.integer] | None,
    threads: int | None,
    balance: bool = False,
    strengths: Sequence[int] = (WHOLE,),
    temperature: float = 1.0,
) -> Attempt:
    """Match a program, and keep that where samples say so: held-out ones by their losses; without labels all of them
    by what predictions say, and held-out ones by their distances.

    Args:
        program: the base.
        references: of its sites, by name.
        x: samples to match on.
        held_x, held_y: samples to choose by, and their labels where they are known.
        threads: of the C core. Changes nothing.
        balance: whether every class of them counts alike.
        strengths: to try, in rising order, the last of them `WHOLE`.
        temperature: of the losses.
    """
    tried = candidates(program, references, x, threads, strengths)
    base = Candidate(0, (), {}, program)
    if held_y is None:
        chosen, information = by_information(base, tried, np.concatenate((x, held_x)), threads)
        scores, weighed = None, None
    else:
        counts = class_weights(held_y, balance)
        scored = [score_of(one.program, held_x, held_y, threads, temperature) for one in (base, *tried)]
        place = min(range(len(tried)), key=lambda i: (scored[1 + i].weighed(counts)[1], -i))
        chosen, scores, information = tried[place], (scored[0], scored[1 + place]), None
        weighed = scores[0].weighed(counts), scores[1].weighed(counts)
    before, after = remaining(program, chosen.found, held_x, threads)
    kept = _gate(chosen.made, before, after, weighed, information)
    changed, made = (chosen.program, chosen.made) if kept == MATCHED else (program, {})
    passes = _passes(program, chosen.found, len(tried), len(x), len(held_x))
    if information is not None:
        passes += (1 + len(tried)) * (len(x) + len(held_x))
    return Attempt(
        *(changed, made, kept, chosen.strength, chosen.found),
        *(before, after, scores, information, passes),
    )


def both_scores(
    program: Program, changed: Program, x: NDArray[np.integer], y: NDArray[np.integer], threads: int | None
) -> tuple[Score, Score]:
    """How samples do before and after."""
    return score_of(program, x, y, threads), score_of(changed, x, y, threads)


def score_of(
    program: Program,
    x: NDArray[np.integer],
    y: NDArray[np.integer],
    threads: int | None,
    temperature: float = 1.0,
) -> Score:
    """How samples do, by the loss at a temperature; `threads` of the C core change nothing."""
    return score(program, logits_of(CoreEngine(program, threads=threads), x), y, temperature)


def _gate(
    made: Mapping[str, Constants],
    before: int,
    after: int,
    scores: tuple[Weighed, Weighed] | None,
    information: tuple[int, int] | None,
) -> str:
    if not made:
        return "base: the samples are like those the model was made for"
    if scores is not None:
        worse = scores[1][0] < scores[0][0] or scores[1][1] > scores[0][1]
        return "base: matching did not help on held-out samples" if worse else MATCHED
    if information is not None and information[1] < information[0]:
        return "base: matched, the model's predictions would say less about the samples"
    return MATCHED if after < before else "base: matching brought held-out samples no nearer"


def _passes(program: Program, found: Sequence[Found], tries: int, train: int, held: int) -> int:
    """Whole passes, in products: samples go on from site to site; through one that is mixed twice."""
    work = [multiply_accumulates(program, op) for op in program.ops]

    def reached(samples: int, again: bool) -> int:
        """By so many samples, those of mixed sites again or not."""
        begun = starts(program, [one.site for one in found], samples)
        own = [
            sum(work[start : one.site.place + 1]) * (2 if again and one.start.weights is not None else 1)
            for start, one in zip(begun, found, strict=True)
        ]
        return samples * (sum(own) + sum(work[: max(begun, default=0)]))

    return round((tries * reached(train, again=True) + 2 * reached(held, again=False)) / max(sum(work), 1))


def _change(one: Found) -> SiteChange:
    by_mean, by_deviation = (
        far / near for far, near in zip(one.distances, one.reference.distances, strict=True)
    )
    return SiteChange(
        name=one.site.name,
        channels=one.site.channels,
        mean_distance=by_mean,
        deviation_distance=by_deviation,
        share=one.share / 256,
        mixed=one.start.weights is not None,
    )
