"""Votes by the definition: bounds, signs, and the running scale."""

from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.votes import FARTHEST, MOST, votes

LOSS = st.integers(-(2**62), 2**62)
SCALE = st.integers(0, FARTHEST**2)


@given(st.lists(st.tuples(LOSS, LOSS), min_size=1, max_size=8), SCALE)
def test_a_graded_vote_is_on_the_side_of_the_sign_and_at_most_three_deviations(pairs, scale):
    losses = [loss for pair in pairs for loss in pair]
    found, after = votes("graded", losses, scale)
    signs, _ = votes("sign", losses, 0)
    assert all(abs(vote) <= MOST and vote * sign >= 0 for vote, sign in zip(found, signs, strict=True))
    assert 0 <= after <= FARTHEST**2 and (after > 0 or not any(signs))


@given(st.lists(LOSS, min_size=6, max_size=6), st.integers(1, 1000))
def test_votes_do_not_depend_on_the_unit_of_the_loss_at_first(losses, factor):
    assert votes("graded", losses, 0)[0] == votes("graded", [factor * loss for loss in losses], 0)[0]


def test_the_scale_follows_the_mean_square():
    scale = 0
    for _ in range(200):
        found, scale = votes("graded", [1000, 0, 0, 1000], scale)
    assert found == (8, -8) and abs(scale - 1_000_000) < 20
    for _ in range(200):
        found, scale = votes("graded", [10, 0, 0, 10], scale)
    assert found == (8, -8)
