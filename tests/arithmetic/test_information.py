"""What predictions say: close to the entropies of the softmax, and a rule that takes the strongest that says enough."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.information import MARGIN, entropies, strongest
from stepforward.arithmetic.loss import loss_rescale

SCALE = 0.01


def real(logits):
    """Both entropies in 2^-16 bit, from a softmax in float64."""
    powers = np.exp(SCALE * (logits - logits.max(axis=1, keepdims=True)))
    p = powers / powers.sum(axis=1, keepdims=True)
    mean = p.mean(axis=0)
    each = -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1)
    return -65536 * (mean * np.log2(np.maximum(mean, 1e-300))).sum(), 65536 * each.mean()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 30), st.floats(0, 3))
def test_entropies_are_those_of_the_softmax(seed, count, classes, spread):
    rng = np.random.default_rng(seed)
    logits = np.rint(rng.normal(0, 100 * spread, (count, classes))).astype(np.int64)
    found = entropies(logits, *loss_rescale(SCALE))
    of_mean, mean = real(logits)
    assert abs(found.of_mean - of_mean) < 128 and abs(found.mean - mean) < 128


def test_the_largest_logits_there_are():
    logits = np.array([[2**31 - 1, -(2**31)], [-(2**31), 2**31 - 1]])
    assert entropies(logits, 65535, 0) == (65536, 0)


def test_the_base_stays_where_every_matching_says_less():
    assert strongest([1000, 999, 998, 997, 996]) == 0


def test_the_strongest_of_those_that_say_about_as_much():
    best = 100_000
    assert strongest([0, 0, best, best - MARGIN, best - MARGIN - 1]) == 3
    assert strongest([best - 10, 0, best, best - 9, best - 11]) == 3
