"""Sums of a stream: in 32 bits whatever comes, near the exact ones, and the past fades."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.matching import LIMIT, MOST, PRIOR
from stepforward.arithmetic.streaming import MOST_WINDOW, largest_window, nothing, see, sums
from stepforward.errors import StepforwardError

positions = st.integers(1, 2**20)


@given(positions, st.integers(1, 9), st.sampled_from([-LIMIT, LIMIT]))
def test_a_window_of_extremes_fits_into_32_bits(count, fraction, extreme):
    window = max(1, largest_window(count) // fraction)
    first, second = np.array([extreme * count]), np.array([LIMIT**2 * count])
    known = nothing(1)
    for _ in range(min(window + 3, 60)):
        known = see(known, first, second, count, window)
    full = known._replace(first=known.first * (window / known.samples))  # all the same: the rest scales
    assert abs(full.first[0]) < 2**31 and 0 <= known.second[0] * (window / known.samples) < 2**32
    assert known.samples <= window


@given(positions, st.integers(-LIMIT, LIMIT), st.integers(1, 40))
def test_sums_are_near_the_exact_ones(count, d, samples):
    known, window = nothing(1), largest_window(count)
    for _ in range(min(samples, window)):
        known = see(known, np.array([d * count]), np.array([d * d * count]), count, window)
    found = sums(known, count, window)
    assert found.samples == known.samples
    assert abs(found.first[0] / (found.samples * count) - d) <= window / 2**14
    assert abs(found.second[0] / (found.samples * count) - d * d) <= window / 2


def test_what_was_seen_fades():
    known = nothing(1)
    for _ in range(64):
        known = see(known, np.array([4000]), np.array([4000**2]), 1, 8)
    for _ in range(128):
        known = see(known, np.array([0]), np.array([0]), 1, 8)
    assert 4 <= known.samples <= 8 and abs(known.first[0]) <= 1 and known.second[0] <= 1


def test_the_longest_window_leaves_room_for_the_prior():
    assert largest_window(1) == MOST_WINDOW
    assert (largest_window(2**14) + PRIOR) * 2**14 <= MOST
    with pytest.raises(StepforwardError, match="too large to be matched"):
        largest_window(MOST // PRIOR)
