"""Sums become constants: exact, bounded, and the identity where nothing differs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.fixedpoint import requantize
from stepforward.arithmetic.matching import (
    HIGHEST,
    LIMIT,
    ONE,
    Moments,
    Reference,
    Rule,
    Sums,
    constants,
    distances,
    moments,
    partly,
    ratio,
    rescaled,
    roots,
    share,
    standardize,
)


def sums_of(accumulators, reference):
    d = standardize(accumulators, reference)
    return Sums(len(d), d.sum(axis=(0, 1)), (d * d).sum(axis=(0, 1)))


@pytest.fixture
def reference():
    return Reference(np.array([1000, -50000]), np.array([5000, 700]), (100, 100))


def test_no_samples_are_the_reference(reference):
    nothing = Sums(0, np.zeros(2, np.int64), np.zeros(2, np.int64))
    found = moments(nothing, reference, positions=9)
    assert found.mean.tolist() == [0, 0]
    assert found.variance.tolist() == (reference.unit**2).tolist()
    bias = np.array([12, -34])
    made = constants(found, reference, bias)
    assert made.ratio.tolist() == [ONE, ONE] and made.bias.tolist() == bias.tolist()


def test_a_shifted_and_stretched_channel_comes_back(reference):
    rng = np.random.default_rng(0)
    clean = rng.normal(reference.mean, reference.deviation, (400, 25, 2))
    off = np.rint((clean - reference.mean) * [2.0, 0.5] + reference.mean + [9000, -300]).astype(np.int64)
    found = moments(sums_of(off, reference), reference, positions=25)
    bias = np.array([0, 0])
    made = constants(partly(found, reference.unit, 256), reference, bias)
    back = (off + made.bias) * made.ratio / ONE
    assert (np.abs(back.mean(axis=(0, 1)) - reference.mean) < 0.1 * reference.deviation).all()
    assert np.allclose(back.std(axis=(0, 1)), reference.deviation, rtol=0.1)


def test_one_sample_hardly_counts(reference):
    found = moments(sums_of(np.full((1, 25, 2), 20000), reference), reference, positions=25)
    assert abs(found.mean[0]) < 16 * 4750 // 16


def test_a_constant_channel_is_left_alone():
    constant = Reference(np.array([0, 5]), np.array([0, 300]), (1, 1))
    found = moments(sums_of(np.full((8, 4, 2), 77), constant), constant, positions=4)
    made = constants(found, constant, np.array([3, 4]))
    assert made.ratio[0] == ONE and made.bias[0] == 3


def test_a_bias_that_would_not_fit_leaves_its_channel_alone():
    far = Reference(np.array([1 - 2**31]), np.array([2**31 - 1]), (1, 1))
    made = constants(Moments(np.array([0]), np.array([1])), far, np.array([2**31 - 1]))
    assert (made.ratio[0], made.bias[0]) == (ONE, 2**31 - 1)


def test_the_ratio_has_bounds():
    unit = np.array([20000] * 2)
    assert ratio(Moments(np.zeros(2, np.int64), np.array([0, 2**50])), unit).tolist() == [HIGHEST, ONE // 4]


def test_distances_are_symmetric_and_leave_constant_channels_out():
    unit = np.array([16000, 0])
    wide = Moments(np.array([0, 9]), np.array([32000**2, 1]))
    narrow = Moments(np.array([0, 9]), np.array([8000**2, 1]))
    assert distances(wide, unit) == distances(narrow, unit) == (0, 2**15)
    assert distances(Moments(np.array([16000, 0]), unit * unit), unit) == (2**16, 0)
    assert distances(wide, np.zeros(2, np.int64)) == (0, 0)


def test_few_samples_must_be_further_away():
    careful = Rule(caution=32)
    assert [share((512, 0), (256, 1), careful, samples) for samples in (0, 1, 32, 96, 10**4)] == [
        0,
        0,
        0,
        128,
        254,
    ]
    assert share((512, 0), (256, 1), samples=1) == 256


def test_a_share_needs_more_than_one_class_does():
    assert [share((d, 0), (256, 1)) for d in (0, 256, 384, 512, 10**6)] == [0, 0, 128, 256, 256]


@given(st.integers(0, 2**60))
def test_roots_are_exact(value):
    (root,) = roots(np.array([value])).tolist()
    assert root**2 <= value < (root + 1) ** 2


@given(st.integers(1, 65535), st.integers(0, 47), st.integers(ONE // 4, HIGHEST))
def test_rescaled_pairs_are_pairs_and_near(mult, shift, r):
    pair = rescaled(mult, shift, r)
    if pair is None:
        assert mult * r / ONE / 2**shift >= 0.99 * 2**16 or shift < 3
        return
    assert 0 <= pair[0] < 2**16 and 0 <= pair[1] <= 47
    wanted = mult * r / ONE / 2**shift  # small ones are rounded twice
    assert abs(pair[0] / 2 ** pair[1] - wanted) <= 2**-15 * wanted + 2.0**-48


@given(st.integers(-(2**45), 2**45), st.integers(0, 30))
def test_standardizing_is_a_requantization(value, k):
    """So every engine computes it: with a multiplier of 2^15 the shift is 15 more."""
    deviation = np.array([1 << (k + 10)]) if k else np.array([700])
    reference = Reference(np.array([123]), deviation, (1, 1))
    shift = int(reference.shift[0])
    assert shift == k
    got = requantize(value - 123, 1 << 15, 15 + shift, 0, -LIMIT, LIMIT) if abs(value) < 2**30 else None
    assert got is None or got == standardize([value], reference)[0]
