"""Matchings of several strengths: too strong a correction can hurt, and predictions show it without labels."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from numpy.typing import NDArray

from stepforward.arithmetic.information import MOST_SAMPLES, Entropies, entropies, strongest
from stepforward.arithmetic.loss import loss_rescale
from stepforward.arithmetic.matching import Constants, Reference
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.matching.matched import Found, match, matched
from stepforward.program.model import Program


class Candidate(NamedTuple):
    """A matching of one strength.

    Attributes:
        strength: how much of every share is corrected, 0 to `arithmetic.matching.WHOLE`.
        found: at every site.
        made: the constants of the corrected sites, by name.
        program: with them.
    """

    strength: int
    found: Sequence[Found]
    made: Mapping[str, Constants]
    program: Program


def candidates(
    program: Program,
    references: Mapping[str, Reference],
    x: NDArray,
    threads: int | None,
    strengths: Sequence[int],
) -> list[Candidate]:
    """One for each strength, in their order, which rises; the strongest alone where that corrects nothing."""
    found = [_candidate(program, references, x, threads, strengths[-1])]
    if found[0].made:
        weaker = [_candidate(program, references, x, threads, strength) for strength in strengths[:-1]]
        found = weaker + found
    return found


def _candidate(
    program: Program, references: Mapping[str, Reference], x: NDArray, threads: int | None, strength: int
) -> Candidate:
    found = match(program, references, x, threads, strength)
    made = {one.site.name: one.constants for one in found if one.share}
    return Candidate(strength, found, made, matched(program, made))


def by_information(
    base: Candidate, tried: Sequence[Candidate], x: NDArray, threads: int | None
) -> tuple[Candidate, tuple[int, int]]:
    """The candidate to take, with what predictions say of a sample without it and with it.

    The strongest where none is to be taken: it then says less than the base.

    Args:
        base: as it is without matching.
        tried: from the weakest to the strongest.
        x: samples in the input format; no labels. At most `MOST_SAMPLES` of them are looked at.
        threads: of the C core. Changes nothing.
    """
    said = [entropies_of(one.program, x, threads).information for one in (base, *tried)]
    place = strongest(said) or len(tried)
    return tried[place - 1], (said[0], said[place])


def entropies_of(program: Program, x: NDArray, threads: int | None) -> Entropies:
    """What the predictions of a program say of samples, at most `MOST_SAMPLES` of them."""
    logits = logits_of(CoreEngine(program, threads=threads), x[:MOST_SAMPLES])
    return entropies(logits, *loss_rescale(program.tensors[program.output].scale[0]))
