import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.loss import cross_entropy, exp2_negative, log2


@given(st.integers(0, 31 * 65536 - 1))
def test_exp2_has_twelve_correct_bits(t):
    assert abs(int(exp2_negative(np.array(t))) / 2**30 - 2 ** (-t / 65536)) < 2**-18


@given(st.integers(2**30, 2**50))
def test_log2_has_twelve_correct_bits(s):
    assert abs(int(log2(np.array([s]))[0]) / 65536 - math.log2(s / 2**30)) < 2**-14


@given(
    st.integers(2, 40).flatmap(lambda n: st.lists(st.integers(-32768, 32767), min_size=n, max_size=n)),
    st.floats(1e-4, 2e-3),
    st.data(),
)
def test_loss_is_the_cross_entropy_of_the_real_logits(logits, scale, data):
    label = data.draw(st.integers(0, len(logits) - 1))
    mult, shift = quantize_multiplier(scale * math.log2(math.e) * 65536)
    bits = mult / 2**shift / 65536  # the temperature the integers really use
    real = np.array(logits) * bits
    expected = math.log2(np.exp2(real - real.max()).sum()) + real.max() - real[label]
    got = int(cross_entropy(np.array([logits]), np.array([label]), mult, shift)[0]) / 65536
    assert abs(got - expected) < 2**-12


@given(st.lists(st.integers(-128, 127), min_size=2, max_size=12), st.integers(-50, 50))
def test_loss_does_not_change_when_all_logits_move_together(logits, move):
    label, mult, shift = np.array([0]), *quantize_multiplier(0.1 * 94548)
    before = cross_entropy(np.array([logits]), label, mult, shift)
    assert before == cross_entropy(np.array([logits]) + move, label, mult, shift)
