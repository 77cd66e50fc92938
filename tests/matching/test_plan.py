"""The plan of a device that matches."""

import numpy as np
import pytest
from small import samples, small_program

from stepforward.arithmetic.streaming import WINDOW
from stepforward.errors import StepforwardError
from stepforward.matching.measure import references
from stepforward.matching.plan import for_matching
from stepforward.matching.sites import sites

PROGRAM = small_program(per_channel=True)
KNOWN = references(PROGRAM, samples(PROGRAM, 64)[0])


def test_it_holds_the_references_of_every_site():
    plan = for_matching(PROGRAM, KNOWN)
    assert plan.window == WINDOW
    for entry, site in zip(plan.sites, sites(PROGRAM), strict=True):
        known = KNOWN[site.name]
        assert entry.op == site.place and entry.distances == known.distances
        assert np.array_equal(entry.reference.mean, known.mean)
        assert np.array_equal(entry.reference.deviation, known.deviation)


def test_a_channel_takes_fourteen_bytes():
    channels = [site.channels for site in sites(PROGRAM)]
    assert for_matching(PROGRAM, KNOWN).state_bytes == 4 + sum(-(-14 * c // 4) * 4 for c in channels)


def test_a_site_without_a_reference_stays_as_it_is():
    first = sites(PROGRAM)[0]
    plan = for_matching(PROGRAM, {first.name: KNOWN[first.name]})
    assert [entry.op for entry in plan.sites] == [first.place]
    with pytest.raises(StepforwardError, match="no layer"):
        for_matching(PROGRAM, {})


def test_numbers_that_do_not_fit_32_bits_are_left_alone():
    first = sites(PROGRAM)[0]
    known = KNOWN[first.name]._replace(mean=np.full(first.channels, 2**31 - 1))
    assert set(for_matching(PROGRAM, {first.name: known}).sites[0].deviation) == {0}


@pytest.mark.parametrize("window", [0, 10**6])
def test_a_window_has_limits(window):
    with pytest.raises(StepforwardError, match=f"window = {window}"):
        for_matching(PROGRAM, KNOWN, window)
