import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.directions import (
    DISTRIBUTIONS,
    direction,
    half_words,
    philox4x32_10,
    sample_order,
)
from stepforward.arithmetic.tables import DELTA_Z, alias_table, normal_weights

KNOWN_ANSWERS = [  # Random123's published vectors for philox4x32-10: counter, key, result
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
identity = {
    "seed": st.integers(0, 2**64 - 1),
    "step": st.integers(0, 2**32 - 1),
    "index": st.integers(0, 254),
}


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN_ANSWERS)
def test_philox_known_answers(counter, key, result):
    low, high = words(key)
    block = philox4x32_10(np.array([words(counter)], dtype=np.uint64), low | high << 32)
    assert block[0].tolist() == words(result)


def test_alias_table_draws_exactly_the_rounded_normal():
    keep, alias = alias_table()
    counts = np.zeros(256, dtype=int)
    for slot in range(256):
        counts[slot] += keep[slot]
        counts[alias[slot] + 128] += 256 - keep[slot]
    assert counts[0] == 0
    assert counts[1:].tolist() == normal_weights()


def test_normal_weights_are_a_unit_normal():
    weights = np.array(normal_weights())
    z = np.arange(-127, 128) * DELTA_Z
    assert weights.sum() == 65536
    assert (weights == weights[::-1]).all()
    assert abs((weights * z**2).sum() / 65536 - 1) < 2e-3


@given(
    st.sampled_from(DISTRIBUTIONS), st.integers(1, 300), st.integers(1, 300), st.fixed_dictionaries(identity)
)
def test_an_element_does_not_depend_on_how_many_are_drawn(distribution, a, b, which):
    few, many = sorted((a, b))
    short = direction(distribution, tensor=3, count=few, **which)
    assert short.tolist() == direction(distribution, tensor=3, count=many, **which)[:few].tolist()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_directions_have_zero_mean_and_unit_variance(distribution):
    z = direction(distribution, seed=5, step=1, index=0, tensor=0, count=200_000) * DELTA_Z
    assert abs(z.mean()) < 0.01
    assert abs(z.var() - 1) < 0.02
    assert abs(z).max() <= 3.5


@pytest.mark.parametrize("other", [{"seed": 2}, {"step": 1}, {"index": 1}, {"tensor": 1}])
def test_every_part_of_the_name_gives_another_direction(other):
    name = {"seed": 1, "step": 0, "index": 0, "tensor": 0}
    a = direction("normal", count=4096, **name)
    b = direction("normal", count=4096, **{**name, **other})
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06


def test_half_words_are_the_words_of_the_block_low_half_first():
    assert half_words(0, 0, 0, 0, 4).tolist() == [0xE8D5, 0x6627, 0xC58D, 0xE169]


@given(st.integers(0, 2**64 - 1), st.integers(0, 1000), st.integers(1, 500))
def test_sample_order_is_a_permutation(seed, epoch, n):
    assert sorted(sample_order(seed, epoch, n).tolist()) == list(range(n))
