"""What predictions say: close to the entropies of the softmax, and a rule that takes the strongest that says enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stepforward.arithmetic.information import MARGIN, entropies, slopes, strongest
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


def test_slopes_are_what_information_falls_by():
    rng = np.random.default_rng(4)
    logits, scale = rng.integers(-120, 120, (40, 7)), 0.04
    found, shares = slopes(logits, *loss_rescale(scale))
    real = np.exp(logits * scale)
    softmax = real / real.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares / 2**14, softmax, atol=2**-13)

    def information(values):
        p = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
        mean = p.mean(axis=0)
        return (p * np.log(p)).sum() / len(p) - (mean * np.log(mean)).sum()

    for sample, label in ((0, 0), (17, 3), (39, 6)):
        step = np.zeros(logits.shape)
        step[sample, label] = 1e-5
        up, down = information(logits * scale + step), information(logits * scale - step)
        falls = -len(logits) * (up - down) / 2e-5
        assert found[sample, label] / 2**14 == pytest.approx(falls, abs=2**-11)
    assert abs(found.sum(axis=1)).max() <= logits.shape[1]


@given(
    arrays(np.int64, st.tuples(st.integers(1, 20), st.integers(2, 9)), elements=st.integers(-32768, 32767)),
    st.sampled_from([1 / 512, 0.04, 0.6]),
)
def test_slopes_of_any_logits_stay_below_one(logits, scale):
    found, shares = slopes(logits, *loss_rescale(scale))
    assert abs(found).max() <= 2**15 and shares.min() >= 0 and shares.max() <= 2**14
    assert abs(found.sum(axis=1)).max() <= logits.shape[1] * 32
