"""Moves that are only made when somebody asks: any chain of reshapes and transposes, as NumPy makes them."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.lowering.order import MOST_AXES, Order, moves, natural

SHAPES = [(4, 6), (1, 8, 6), (3, 4, 5), (2, 1, 3, 4), (24,), (1, 1, 12), (2, 2, 2, 3), (6, 4, 2)]


@st.composite
def chains(draw):
    """A shape, the order in which its axes lie, and steps: a permutation or another shape."""
    shape = draw(st.sampled_from(SHAPES))
    order = tuple(draw(st.permutations(range(len(shape)))))
    steps, now = [], shape
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            steps.append(("transpose", tuple(draw(st.permutations(range(len(now)))))))
            now = tuple(now[axis] for axis in steps[-1][1])
        else:
            sizes = [size for size in SHAPES if math.prod(size) == math.prod(now)]
            steps.append(("reshape", draw(st.sampled_from([*sizes, (math.prod(now),)]))))
            now = steps[-1][1]
    return shape, order, steps


def moved(held, found):
    for move in found:
        held = held.reshape(move.shape) if move.permutation is None else held.transpose(move.permutation)
        assert held.shape == move.shape and held.ndim <= MOST_AXES
    return held


@given(chains(), st.data())
def test_a_chain_of_moves_is_what_numpy_makes_of_it(chain, data):
    shape, lying, steps = chain
    logical = np.arange(math.prod(shape)).reshape(shape)
    held, order = np.ascontiguousarray(logical.transpose(lying)), Order.of(shape, lying)
    for kind, how in steps:
        if kind == "transpose":
            logical, order = logical.transpose(how), order.transposed(how)
            continue
        plain = tuple(range(logical.ndim))
        found = order.reshaped(plain, how, tuple(range(len(how))))
        if found is None:
            held = moved(held, moves(order.memory, order.sequence(plain), held.shape, logical.shape))
            found = Order.of(logical.shape, plain).reshaped(plain, how, tuple(range(len(how))))
        logical, order = logical.reshape(how), found
    wanted = tuple(data.draw(st.permutations(range(logical.ndim))))
    target = tuple(logical.shape[axis] for axis in wanted)
    if data.draw(st.booleans()):
        target = natural(order.memory, order.sequence(wanted), held.shape) or target
    found = moves(order.memory, order.sequence(wanted), held.shape, target)
    assert np.array_equal(moved(held, found).ravel(), logical.transpose(wanted).ravel())
    assert not found or not order.lies(wanted) or len(found) == 1


def test_heads_of_attention_take_one_transposition_each_way():
    tokens = Order.of((65, 64), (0, 1))
    heads = tokens.reshaped((0, 1), (65, 4, 16), (0, 1, 2)).transposed((1, 0, 2))
    there = moves(heads.memory, heads.sequence((0, 1, 2)), (1, 65, 64), (4, 65, 16))
    assert [move.permutation for move in there] == [None, (1, 0, 2)]
    back = Order.of((4, 65, 16), (0, 1, 2)).transposed((1, 0, 2)).reshaped((0, 1, 2), (65, 64), (0, 1))
    again = moves(back.memory, back.sequence((0, 1)), (4, 65, 16), (1, 65, 64))
    assert [move.permutation for move in again] == [(1, 0, 2), None]


def test_what_lies_in_the_order_asked_for_is_not_moved():
    image = Order.of((8, 4, 6), (1, 2, 0)).transposed((1, 2, 0))
    assert moves(image.memory, image.sequence((0, 1, 2)), (4, 6, 8), (4, 6, 8)) == []
