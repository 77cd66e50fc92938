import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.intervals import Interval, mcnemar, paired_difference, wilson


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I: the score method.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_values(correct, count, low, high):
    assert wilson(correct, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 3000), st.data())
def test_wilson_holds_the_share_and_mirrors(count, data):
    correct = data.draw(st.integers(0, count))
    low, high = wilson(correct, count)
    assert 0 <= low <= correct / count <= high <= 1
    assert wilson(count - correct, count) == pytest.approx((1 - high, 1 - low))


def test_a_paired_difference_by_hand():
    # p = 2/23, q = 8/23: -6/23 plus and minus 1.96 * sqrt((10/23 - 36/529) / 23)
    low, high = paired_difference(1, 7, 21)
    assert (low, high) == pytest.approx((-0.5084, -0.0134), abs=5e-5)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 500))
def test_a_paired_difference_mirrors_and_an_even_change_holds_zero(gained, lost, same):
    count = gained + lost + same + 1
    interval, mirrored = paired_difference(gained, lost, count), paired_difference(lost, gained, count)
    assert interval == pytest.approx((-mirrored.high, -mirrored.low))
    if gained == lost:
        assert interval.sign == 0


def test_mcnemar_gives_the_published_value():
    # Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13 (2013): mid-p 0.0391.
    assert mcnemar(1, 7) == pytest.approx(0.0391, abs=5e-5)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_sum_of_binomials(gained, lost):
    n, fewer = gained + lost, min(gained, lost)
    exact = 2 * sum(Fraction(math.comb(n, k), 2**n) for k in range(fewer)) + Fraction(
        math.comb(n, fewer), 2**n
    )
    assert mcnemar(gained, lost) == pytest.approx(float(min(exact, 1)) if gained != lost else 1.0)


def test_large_counts_neither_overflow_nor_take_long():
    assert mcnemar(60_000, 40_000) == 0.0
    assert mcnemar(50_100, 49_900) > 0.1


@pytest.mark.parametrize(("interval", "sign"), [((0.01, 0.2), 1), ((-0.2, -0.01), -1), ((-0.1, 0.1), 0)])
def test_a_sign_needs_the_whole_interval(interval, sign):
    assert Interval(*interval).sign == sign
