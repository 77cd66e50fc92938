"""Curved votes in the C core against the reference, on hosts and in the loop of devices."""

import numpy as np
import pytest
import small
from alike import trained
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import plain
from random_networks import examples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training
from stepforward.plan.tail import most_rows_of


def plan_of(program, chosen=range(8), **changes):
    given = {"steps": 9, "epsilon": 0.05, "lr": 0.05, "directions": 5, "sizes": "relative", "votes": "curved"}
    return plan_training(program, chosen, plain(**given | changes))


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("directions", [1, 5, 16, 32])
def test_curved_votes_train_to_the_same_bits(dtype, directions):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    far = {"epsilon": 0.5, "lr": 4.0} if dtype == "s4" else {}
    assert trained(program, plan_of(program, directions=directions, **far), steps=3) != program.weights


@pytest.mark.parametrize(
    "changes",
    [
        {"rounding": "stochastic", "temperature": 2.0},
        {"perturbation": "paper", "rounding": "floor", "distribution": "rademacher"},
        {"tail": "exact", "distribution": "binomial", "low_bits": "fraction-8"},
        {"low_bits": "fraction-4", "sparsity": 0.5, "temperature": 1 / 16},
        {"schedule": "cosine", "warmup": 2, "temperature": 64.0},
    ],
    ids=str,
)
def test_curved_votes_go_with_other_settings(changes):
    program = small.small_program("s8", per_channel=True)
    trained(program, plan_of(program, epsilon=0.1, **changes), steps=4)


@settings(max_examples=examples(25), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    directions=st.integers(1, 32),
    temperature=st.sampled_from([1 / 64, 0.5, 1.0, 2.0, 64.0]),
    epsilon=st.sampled_from([0.01, 0.1, 1.0]),
)
def test_any_step_has_the_votes_of_the_reference(seed, rows, directions, temperature, epsilon):
    program = small.small_program()
    plan = plan_of(program, seed=seed, directions=directions, temperature=temperature, epsilon=epsilon)
    x, y = small.samples(program, rows)
    engines = CoreEngine(program, plan, threads=2), ReferenceEngine(program, plan)
    found = [engine.curved(seed % 9, Batch.of(x, y)) for engine in engines]
    assert found[0] == found[1]
    assert engines[0].snapshot() == engines[1].snapshot()


def test_samples_that_nothing_changes_have_no_votes():
    program = small.small_program()
    plan = plan_of(program, epsilon=1e-9)
    x, y = small.samples(program, 3)
    assert CoreEngine(program, plan).curved(0, Batch.of(x, y))[1] == (0,) * 5


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"directions": 33}, "32"),
        ({"momentum": 0.9}, "momentum"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"guide": 0.5}, "guide"),
        ({"sharpness": 1}, "sharpness"),
        ({"low_bits": "accumulate-4"}, "low_bits"),
    ],
    ids=str,
)
def test_what_curved_votes_do_not_go_with_is_refused(changes, said):
    with pytest.raises(StepforwardError, match=said):
        plan_of(small.small_program("s8"), **changes)


def test_an_exact_tail_has_room_for_all_passes_of_a_step():
    program = small.small_program()
    plan = plan_of(program, directions=32, batch=32, tail="exact")
    assert plan.tail is not None and most_rows_of(program, plan.tail) >= 33 * 32
    batch = Batch.of(*small.samples(program, 32))
    found = [engine(program, plan).curved(0, batch) for engine in (CoreEngine, ReferenceEngine)]
    assert found[0] == found[1]


def test_where_exact_gradients_move_everything_there_is_nothing_to_vote_on():
    program = small.small_program()
    head = program.ops[-1].parameters
    assert plan_of(program, head, tail="auto").tail is None
    with pytest.raises(StepforwardError, match="nothing votes"):
        plan_of(program, head, tail="exact")


def test_other_plans_have_no_curved_votes():
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=9))
    x, y = small.samples(program, 3)
    for engine in (CoreEngine(program, plan), ReferenceEngine(program, plan)):
        with pytest.raises(StepforwardError, match="no curved votes"):
            engine.curved(0, Batch.of(x, y))


def test_labels_that_no_class_has_are_refused():
    program = small.small_program()
    x, y = small.samples(program, 3)
    with pytest.raises(StepforwardError, match="labels"):
        CoreEngine(program, plan_of(program)).curved(0, Batch.of(x, np.full_like(y, 99)))
