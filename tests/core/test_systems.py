"""Systems as the core solves them, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic import head
from stepforward.core import systems
from stepforward.core.bindings import library


def system(seed, size, columns, bits):
    """Positive definite, with numbers of about so many bits and 32 bits of fraction."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-(2 ** (bits // 2)), 2 ** (bits // 2), (2 * size, size)).astype(object)
    a = (rows.T @ rows) << head.FRACTION
    a[np.diag_indices(size)] += int(rng.integers(1, 2**31))
    b = rng.integers(-(2**bits), 2**bits, (size, columns)).astype(object) << head.FRACTION
    return a, b


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 5), st.integers(2, 30))
def test_it_finds_the_integers_of_the_definition(seed, size, columns, bits):
    a, b = system(seed, size, columns, bits)
    assert (systems.solved(a.copy(), b.copy()) == head.solved(a.copy(), b.copy())).all()


@pytest.mark.parametrize("bits", [62, 200])
def test_numbers_beyond_128_bits_are_left_to_the_definition(bits):
    a, b = (part << (bits - 30) for part in system(3, 6, 2, 30))
    a[np.diag_indices(6)] += 1
    assert (systems.solved(a.copy(), b.copy()) == head.solved(a.copy(), b.copy())).all()


def test_the_core_says_where_it_does_not_fit():
    one = np.zeros(4, dtype=np.uint64)
    start = one.ctypes.data // 8 % 2
    address = one[start:].ctypes.data
    assert library().sf_solve(address, address, 1, 1, address) != 0  # zero divides nothing
    assert library().sf_solve(address + 8, address, 1, 1, address) != 0
    assert library().sf_solve(None, address, 1, 1, address) != 0
