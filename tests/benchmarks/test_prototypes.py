"""The prototypes' engine: as drawn it is the product's, and its other directions are what they are called."""

import numpy as np
import pytest
import small
from learning.prototypes import Tried, half_of
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import for_training


def engine(of, kind, **changes):
    settings = plain(steps=4, lr=0.3, epsilon=0.1, directions=4, distribution="rademacher", **changes)
    Tried.kind = kind
    return of(*for_training(small.small_program(), range(8), settings))


@pytest.mark.parametrize("tail", ["exact", "votes"])
def test_as_drawn_it_is_the_products_engine(tail):
    made = [engine(of, "as-drawn", tail=tail, votes="graded") for of in (CoreEngine, Tried)]
    batch = Batch.of(*small.samples(made[0].program, 12))
    taken = [list(qzo_ff(one, lambda step: batch, range(4), 4, True)) for one in made]
    assert taken[0] == taken[1]
    assert made[0].snapshot() == made[1].snapshot()


def test_directions_of_a_step_are_orthogonal():
    one = engine(Tried, "orthogonal")
    z = np.array([one._direction("rademacher", 5, 3, index, 2, 64) for index in range(16)])
    assert np.array_equal(z @ z.T, np.eye(16, dtype=np.int64) * (z[0] @ z[0]))


def test_halves_take_turns():
    one = engine(Tried, "in-turn")
    halves = {half_of(one.program, entry.tensor) for entry in one.plan.voted}
    assert halves == {0, 1}
    for step in (0, 1):
        for entry in one.plan.voted:
            moves = one._direction("rademacher", 5, step, 0, entry.tensor, 8).any()
            assert moves == (half_of(one.program, entry.tensor) == step)
