"""Constants of a matching that steps move further: what a direction is, and the program some way along it (contract,
section 11)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stepforward.arithmetic.directions import direction
from stepforward.arithmetic.fixedpoint import Int, clamp
from stepforward.arithmetic.matching import Constants, Reference, further
from stepforward.matching.matched import fitting, matched
from stepforward.matching.sites import Site, bias_of, sites
from stepforward.program.model import Program

FARTHEST = 1 << 14
"""What an output may be moved by, in either direction: four deviations."""

Position = Sequence[Int]
"""How far every site is: moves of means and of ratios, shape (2, channels), as `arithmetic.matching.further` takes
them."""


class Place(NamedTuple):
    """A site that moves, and where it starts.

    Attributes:
        number: among the sites of the program that have a reference.
        site: where it stands.
        start: the constants that a matching found, or the base's own.
        deviation: of the reference.
    """

    number: int
    site: Site
    start: Constants
    deviation: Int


def places(
    program: Program, references: Mapping[str, Reference], made: Mapping[str, Constants]
) -> list[Place]:
    """The last third of the sites that have a reference, corrected or not: earlier ones gain no more,
    and what lies before the third is run once.

    Args:
        program: the base.
        references: of its sites, by name.
        made: the constants of the corrected sites, by name.
    """
    known = [site for site in sites(program) if site.name in references]
    return [
        Place(
            number,
            site,
            made.get(site.name) or Constants.of(bias_of(program, site)),
            references[site.name].deviation,
        )
        for number, site in enumerate(known)
        if number >= 2 * len(known) // 3
    ]


def origin(of: Sequence[Place]) -> Position:
    """Where no step was taken."""
    return [np.zeros((2, place.site.channels), dtype=np.int64) for place in of]


def drawn(of: Sequence[Place], seed: int, step: int, index: int) -> Position:
    """A direction: 1 or -1 for every number."""
    return [
        np.sign(direction("rademacher", seed, step, index, place.number, 2 * place.site.channels)).reshape(
            2, -1
        )
        for place in of
    ]


def added(position: Position, move: Position, times: int) -> Position:
    """A position, some times a direction further on."""
    return [
        clamp(here + times * there, -FARTHEST, FARTHEST) for here, there in zip(position, move, strict=True)
    ]


def within(program: Program, of: Sequence[Place]) -> list[Place]:
    """The same places in what follows a cut of their program."""
    by_name = {site.name: site for site in sites(program)}
    return [place._replace(site=by_name[place.site.name]) for place in of]


def constants_at(program: Program, of: Sequence[Place], position: Position) -> dict[str, Constants]:
    """The constants of a position, by name of the site.

    Args:
        program: with the base's own constants at these places.
        of: its places, and `position` where they are.
    """
    return {
        place.site.name: fitting(program, place.site, further(place.start, place.deviation, *moves))
        for place, moves in zip(of, position, strict=True)
    }


def program_at(program: Program, of: Sequence[Place], position: Position) -> Program:
    """The program with the constants of a position; arguments as of `constants_at`."""
    return matched(program, constants_at(program, of, position))
