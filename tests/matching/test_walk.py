"""Sites that samples walk to see what they see from the input on, with changed sites before them."""

import numpy as np
import pytest
from random_networks import random_case
from small import samples, small_program

from stepforward.arithmetic.matching import ONE, Constants
from stepforward.matching import walk
from stepforward.matching.matched import matched
from stepforward.matching.measure import Sampled, site_sums
from stepforward.matching.sites import Site, bias_of, sites
from stepforward.matching.walk import Walk, starts
from stepforward.program.model import Program


def shifted(program: Program, site: Site) -> Program:
    """With another bias at one site: what lies after it sees other numbers."""
    return matched(program, {site.name: Constants(np.full(site.channels, ONE), bias_of(program, site) + 300)})


def seen(program: Program, site: Site, x: np.ndarray) -> Sampled:
    zero = np.zeros(site.channels, dtype=np.int64)
    return site_sums(program, site, zero, zero + 2, x, threads=1)


def same_all_along(program: Program, x: np.ndarray) -> int:
    """Compares every site with and without the walk; gives how many it went on to."""
    found = sites(program)
    on_the_way, so_far = Walk(program, found, x, threads=1), program
    for site in found:
        changed = shifted(so_far, site)
        for given in (so_far, changed):  # the site itself may be another each time it is asked for
            rest, place, there = on_the_way.to(given, site)
            for one, other in zip(seen(rest, place, there), seen(given, site, x), strict=True):
                assert (one == other).all(), site.name
        so_far = changed
    return sum(start > 0 for start in starts(program, found, len(x)))


def test_what_is_seen_is_the_same():
    further = 0
    for number in range(0, 120, 4):
        case = random_case(number)
        further += same_all_along(case.program, case.x)
    assert further > 5


def test_a_place_that_takes_too_much_memory_is_passed(monkeypatch: pytest.MonkeyPatch):
    program = small_program()
    x = samples(program, 3)[0]
    usual = starts(program, sites(program), len(x))
    assert max(usual) > 0 and usual == sorted(usual)
    monkeypatch.setattr(walk, "MOST_BYTES", 0)
    assert set(starts(program, sites(program), len(x))) == {0}
    assert same_all_along(program, x) == 0
