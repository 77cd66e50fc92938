"""The roundings of other runtimes: equal to the arithmetic that those runtimes name, for any sum and scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.rounding import (
    CONTRACT,
    FLOAT,
    ONCE,
    TWICE,
    float_multiplier,
    in_range,
    mean_multiplier,
    q31_multiplier,
    rescale,
)

SUMS = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20)
RATIOS = st.floats(2**-30, 2**20)


def doubled_high_word(a, mult):
    """Of a product, rounded towards the nearest by a nudge of its own sign and a division towards zero."""
    product = a * mult
    nudge = 2**30 if product >= 0 else 1 - 2**30
    whole = abs(product + nudge) // 2**31
    return whole if product + nudge >= 0 else -whole


def rounding_divide(value, exponent):
    """By a power of two: the remainder against half of it, one more for negative values."""
    remainder = value & ((1 << exponent) - 1)
    threshold = (((1 << exponent) - 1) >> 1) + (value < 0)
    return (value >> exponent) + (remainder > threshold)


@given(SUMS, RATIOS)
def test_twice_is_a_doubling_high_multiplication_and_a_rounding_division(sums, ratio):
    mult, shift = q31_multiplier(ratio)
    left, right = max(31 - shift, 0), max(shift - 31, 0)
    kept = [min(max(a << left, -(2**31)), 2**31 - 1) for a in sums]
    expected = [rounding_divide(doubled_high_word(a, mult), right) for a in kept]
    assert rescale(sums, mult, shift, TWICE).tolist() == expected


@given(SUMS, RATIOS)
def test_once_is_the_nearest_integer_with_halves_up(sums, ratio):
    mult, shift = q31_multiplier(ratio)
    expected = [(2 * a * mult + 2**shift) // 2 ** (shift + 1) for a in sums]
    assert rescale(sums, mult, shift, ONCE).tolist() == expected


@given(SUMS, RATIOS)
def test_float_is_float32_arithmetic(sums, ratio):
    scale = np.float32(ratio)
    expected = np.rint(np.array(sums, dtype=np.int32).astype(np.float32) * scale)
    assert np.array_equal(rescale(sums, *float_multiplier(float(scale)), FLOAT), expected.astype(np.int64))


@given(st.integers(1, 2**12), st.integers(1, 2**12))
def test_ties_of_float_go_to_even(half, odd):
    """A sum times 2^-k that ends in exactly one half."""
    for value in (half + 0.5, -half - 0.5):
        got = rescale(int(value * 2), *float_multiplier(0.5), FLOAT)
        assert got == np.rint(value)
    wide = 2**27 + odd  # more than 24 significant bits: rounded before it is multiplied
    assert rescale(wide, *float_multiplier(1.0), FLOAT) == int(np.float32(wide))


@pytest.mark.parametrize("rounding", [TWICE, ONCE, FLOAT])
def test_sums_beyond_32_bits_are_saturated(rounding):
    pair = float_multiplier(1.0) if rounding == FLOAT else q31_multiplier(1.0)
    assert (
        rescale([2**40, -(2**40)], *pair, rounding).tolist()
        == rescale([2**31 - 1, -(2**31)], *pair, rounding).tolist()
    )


@given(RATIOS)
def test_pairs_are_near_their_ratio_and_in_range(ratio):
    mult, shift = q31_multiplier(ratio)
    assert in_range(mult, shift, TWICE) and in_range(mult, shift, ONCE)
    assert abs(mult / 2.0**shift / ratio - 1) <= 2**-31
    assert in_range(*float_multiplier(float(np.float32(ratio))), FLOAT)


def test_ratios_that_no_pair_holds():
    assert q31_multiplier(2.0**-33) == (0, 31)
    assert q31_multiplier(1 - 2.0**-33) == q31_multiplier(1.0)
    for ratio in (-1.0, float("nan"), 2.0**30):
        with pytest.raises(ValueError, match="32-bit"):
            q31_multiplier(ratio)
    for scale in (0.1, 0.0, 2.0**24, 2.0**-60):
        with pytest.raises(ValueError, match="float32"):
            float_multiplier(scale)


@given(st.floats(2**-10, 2**10), st.integers(1, 10_000))
def test_a_mean_divides_its_multiplier(ratio, count):
    mult, shift = mean_multiplier(ratio, count)
    assert in_range(mult, shift, TWICE)
    assert abs(mult / 2.0**shift * count / ratio - 1) < 2**-24


def test_the_range_of_a_pair_depends_on_the_rounding():
    assert in_range(2**16 - 1, 0, CONTRACT) and not in_range(2**16, 0, CONTRACT)
    assert not in_range(2**31, 31, TWICE) and not in_range(1, 0, ONCE)
    assert not in_range(2**22, 30, FLOAT) and in_range(0, 0, FLOAT)
