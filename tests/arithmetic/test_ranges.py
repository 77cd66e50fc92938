"""Steps are halved as long as every integer that was seen stays one."""

from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.ranges import LEAST, MOST, halvings

INTEGERS = st.integers(LEAST, MOST)


@given(INTEGERS, INTEGERS, INTEGERS)
def test_what_was_seen_fits_and_would_not_in_half_the_steps(first, second, zero_point):
    least, most = min(first, second), max(first, second)
    times = halvings(least, most, zero_point)
    if least == most == zero_point:
        assert times == 0
        return

    def fits(k):
        return all(LEAST <= zero_point + 2**k * (q - zero_point) <= MOST for q in (least, most))

    assert fits(times) and not fits(times + 1)
