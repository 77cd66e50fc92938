import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.fixedpoint import add_multipliers, quantize_multiplier, requantize, shift_right


@given(
    st.integers(-(2**46) + 1, 2**46 - 1), st.integers(0, 65535), st.integers(0, 47), st.integers(-128, 127)
)
def test_requantize_rounds_half_up_once_and_clamps(acc, mult, shift, zero_point):
    exact = math.floor(Fraction(acc * mult, 2**shift) + (Fraction(1, 2) if shift else 0)) + zero_point
    assert requantize(acc, mult, shift, zero_point, -128, 127) == max(-128, min(127, exact))


@given(st.integers(-(2**60), 2**60), st.integers(0, 47))
def test_shift_right_is_the_nearest_integer(value, shift):
    assert abs(Fraction(int(shift_right(value, shift))) - Fraction(value, 2**shift)) <= Fraction(1, 2)


@given(st.floats(2**-31, 65535.0))
def test_quantize_multiplier_keeps_sixteen_bits(ratio):
    mult, shift = quantize_multiplier(ratio)
    assert 0 <= mult < 2**16 and 0 <= shift <= 47
    assert abs(Fraction(mult, 2**shift) / Fraction(ratio) - 1) <= Fraction(1, 2**16)


@given(st.floats(0, 2**-32))
def test_quantize_multiplier_of_tiny_ratios_loses_bits_but_not_range(ratio):
    mult, shift = quantize_multiplier(ratio)
    assert 0 <= mult < 2**16 and shift <= 47
    assert abs(mult / 2**shift - ratio) <= 2**-47


@pytest.mark.parametrize("ratio", [-1.0, math.nan, math.inf, 65536.0])
def test_quantize_multiplier_refuses_what_does_not_fit(ratio):
    with pytest.raises(ValueError, match="ratio"):
        quantize_multiplier(ratio)


@given(st.floats(1e-4, 1e3), st.floats(1e-4, 1e3))
def test_add_multipliers_share_a_shift(a, b):
    (mult_a, shift_a), (mult_b, shift_b) = add_multipliers(a, b)
    assert shift_a == shift_b and max(mult_a, mult_b) < 2**16
    quantum = max(a, b) / 2**15
    assert abs(mult_a / 2**shift_a - a) <= quantum and abs(mult_b / 2**shift_b - b) <= quantum
