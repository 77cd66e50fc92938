"""Products and sums of two bytes: all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import examples

from stepforward.arithmetic.rounding import INSIDE, INSIDE_BYTES, TWICE
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.operators.add import Add
from stepforward.operators.lookup import Lookup
from stepforward.operators.multiply import Multiply
from stepforward.operators.transpose import Transpose
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

GRID = np.repeat(np.arange(-128, 128, dtype=np.int8), 256).reshape(1, 256, 256)
ZEROS = [(0, 0, 0), (-53, 53, 0), (-54, 53, 0), (3, 0, 7), (-128, -128, -128), (127, -128, 0)]
PAIRS = [
    (32768, 15),
    (1, 0),
    (16384, 14),
    (32768, 16),
    (65535, 16),
    (65535, 17),
    (40000, 0),
    (3, 30),
    (65535, 31),
]


HALF, MANY = (1 << 30, 31), (1717986918, 31)
SUMS = [
    ((MANY, (1 << 30, 32), (1288490189, 49))),
    ((HALF, HALF, (1 << 30, 50))),  # half of the sum, whose every other value is a tie
    ((HALF, (1 << 30, 33), (1 << 30, 50))),
    (((1073741825, 31), (2147483647, 34), (1999999999, 50))),
    ((MANY, MANY, (1288490189, 47))),  # beyond the output's range
    ((MANY, HALF, (2147483647, 35))),  # farther, with too few bits after the point
    (((5, 31), (1 << 30, 62), (1 << 30, 40))),
    ((MANY, HALF, (1 << 30, 62))),
]
"""Pairs of both inputs and of the sum, rounded twice."""


def joined(what, zeros, dtype):
    """The operator on every two bytes, by the core and by the definition."""
    of_a, of_b, of_y = zeros
    shape = GRID.shape[1:]
    tensors = (
        Tensor("a", shape, "s8", (1.0,), of_a, -1),
        Tensor("turned", shape, "s8", (1.0,), of_a),
        Tensor("b", shape, "s8", (1.0,), of_b),
        Tensor("y", shape, dtype, (1.0,), of_y),
    )
    ops = (
        Op("turn", Transpose(permutation=(1, 0)), (0,), 1),
        Op("same", Lookup(tables=tuple(range(-128, 128))), (1,), 2),
        Op("join", what, (0, 2), 3),
    )
    program = plan_arena(Program(tensors, ops, 0, 3, 0, b""))
    return logits_of(CoreEngine(program, threads=1), GRID), logits_of(ReferenceEngine(program), GRID)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("dtype", ["s8", "s16"])
def test_all_products_of_two_bytes(dtype, zeros, pair):
    lo, hi = (-127, 125) if dtype == "s8" else (-32767, 32765)
    found, expected = joined(Multiply(rescale=(pair,), lo=lo, hi=hi), zeros, dtype)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("pairs", SUMS)
@pytest.mark.parametrize("zeros", ZEROS)
def test_all_sums_of_two_bytes_rounded_twice(zeros, pairs):
    found, expected = joined(Add(rescale=pairs, rounding=TWICE, lo=-127, hi=125), zeros, "s8")
    assert np.array_equal(found, expected)


@settings(max_examples=examples(90), deadline=None)
@given(st.integers(0, 2**32))
def test_sums_that_are_nearly_halves_are_rounded_as_all(seed):
    rng = np.random.default_rng(seed)
    mult, shift = rng.integers(2**30, 2**31, 3).tolist(), rng.integers(31, 34, 2).tolist()
    pairs = tuple(zip(mult, (*shift, int(rng.integers(45, 51))), strict=True))
    zeros = tuple(rng.integers(-128, 128, 3).tolist())
    found, expected = joined(Add(rescale=pairs, rounding=TWICE), zeros, "s8")
    assert np.array_equal(found, expected)


@settings(max_examples=examples(90), deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([INSIDE, INSIDE_BYTES]))
def test_so_they_are_with_zero_points_inside(seed, rounding):
    rng = np.random.default_rng(seed)
    pairs = tuple(zip(rng.integers(2**23, 2**24, 2).tolist(), rng.integers(22, 28, 2).tolist(), strict=True))
    zeros = tuple(rng.integers(-128, 128, 3).tolist())
    found, expected = joined(Add(rescale=pairs, rounding=rounding), zeros, "s8")
    assert np.array_equal(found, expected)
