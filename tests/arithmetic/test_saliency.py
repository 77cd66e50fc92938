import numpy as np
import pytest

from stepforward.arithmetic.directions import direction
from stepforward.arithmetic.saliency import FIRST_STEP, least_slope, probe_votes, slopes
from stepforward.arithmetic.votes import MOST
from stepforward.core.directions import drawn


@pytest.mark.parametrize("distribution", ["normal", "rademacher", "binomial"])
def test_slopes_are_the_sum_of_votes_along_their_directions(distribution):
    votes = [3, 0, -24, 1, 7, -2]
    expected = sum(
        vote * direction(distribution, 9, FIRST_STEP + number // 2, number % 2, 4, 41)
        for number, vote in enumerate(votes)
    )
    for draw in (direction, drawn):
        assert np.array_equal(slopes(draw, distribution, 9, 4, 41, votes, 2), expected)


def test_no_probe_counts_more_than_another_for_coming_first():
    losses = [5, 9, 100, 40, 7, 7, 3, 8]
    votes = probe_votes(losses)
    assert votes == (*probe_votes(losses[::-1])[::-1],) or [-v for v in probe_votes(losses[::-1])[::-1]] == [
        *votes
    ]
    assert max(map(abs, votes)) <= MOST and votes[2] == 0


def test_probes_that_say_nothing_vote_nothing():
    assert probe_votes([7, 7, 0, 0]) == (0, 0)
    assert probe_votes([2**62, 0, 0, 0]) == (11, 0)


def test_slopes_find_the_weights_that_a_loss_depends_on():
    """A loss along eight of 200 weights: they come out on top."""
    rng = np.random.default_rng(3)
    gradient = np.zeros(200, dtype=np.int64)
    gradient[rng.choice(200, 8, replace=False)] = rng.choice([-50, 50], 8)
    losses = []
    for number in range(400):
        z = direction("normal", 1, FIRST_STEP + number // 4, number % 4, 0, 200)
        losses += [int(gradient @ z), -int(gradient @ z)]
    found = slopes(direction, "normal", 1, 0, 200, probe_votes(losses), 4)
    kept = np.abs(found) >= least_slope(np.abs(found), 8)
    assert np.array_equal(kept, gradient != 0)
    assert np.array_equal(np.sign(found[kept]), np.sign(gradient[kept]))


def test_a_weight_without_slope_never_moves():
    assert least_slope(np.array([0, 0, 4]), 3) == 1
