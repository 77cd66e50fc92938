"""Sharpness-aware steps in the C core against the reference, on hosts and in the loop of devices."""

import pytest
import small
from alike import trained
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import plain
from random_networks import examples

from stepforward.arithmetic.directions import ASCENT
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, Move, Trial
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("sharpness", [1, 5, 127])
def test_sharpness_aware_steps_train_to_the_same_bits(dtype, directions, sharpness):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    made = plain(
        steps=4, lr=0.05, directions=directions, sharpness=sharpness, sizes="relative", votes="graded"
    )
    trained(program, plan_training(program, range(8), made))


@pytest.mark.parametrize(
    "changes",
    [
        {"momentum": 0.9, "rounding": "stochastic", "share_batch": False},
        {"perturbation": "paper", "rounding": "floor", "distribution": "rademacher"},
        {"tail": "exact", "distribution": "binomial", "low_bits": "fraction-8"},
        {"low_bits": "fraction-4", "sparsity": 0.5, "guide": 0.5},
        {"low_bits": "accumulate-2"},
    ],
    ids=str,
)
def test_sharpness_goes_with_other_settings(changes):
    program = small.small_program("s8", per_channel=True)
    made = {"steps": 4, "lr": 0.05, "epsilon": 0.01, "directions": 2, "sharpness": 2} | changes
    trained(program, plan_training(program, range(8), plain(**made)))


def test_rows_longer_than_a_chunk_climb_alike():
    program = small.long_rows_program()
    made = plain(steps=2, lr=0.05, sharpness=1, sizes="relative")
    trained(program, plan_training(program, range(program.parameter_count), made), steps=2)


MOVES = st.tuples(st.integers(0, 4), st.integers(-1, 1), st.integers(-127, 127)).filter(
    lambda m: m[1] or m[2]
)
"""Direction, amount, climb; a trial that moves by nothing is said without moves (the paper's formula shrinks by it)."""


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(MOVES, min_size=1, max_size=7),
    st.sampled_from(["exact", "paper"]),
    st.sampled_from(["s16", "s8"]),
)
def test_any_trials_of_two_moves_have_the_same_losses(moves, perturbation, dtype):
    program = small.small_program(dtype)
    plan = plan_training(program, range(8), plain(steps=9, perturbation=perturbation, epsilon=0.01))
    program = plan_arena(program, plan.first_op)
    batch = Batch.of(*small.samples(program, 3))
    trials = [Trial((Move(i, amount), Move(ASCENT, climb))) for i, amount, climb in moves]
    core = CoreEngine(program, plan, threads=2)
    assert core.losses(1, batch, trials) == ReferenceEngine(program, plan).losses(1, batch, trials)


@pytest.mark.parametrize("second", [Move(ASCENT, 128), Move(0, 1)])
def test_other_second_moves_are_refused_by_the_core(second):
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=9))
    engine = CoreEngine(plan_arena(program, plan.first_op), plan)
    with pytest.raises(StepforwardError, match="a trial with the moves"):
        engine.losses(0, Batch.of(*small.samples(program, 3)), [Trial((Move(0, 1), second))])


def test_climbing_is_counted_and_changes_the_votes():
    program = small.small_program()
    counts = {}
    for sharpness in (0, 8):
        made = plain(steps=9, directions=2, sharpness=sharpness, sizes="relative", share_batch=False)
        plan = plan_training(program, range(8), made)
        engine = CoreEngine(plan_arena(program, plan.first_op), plan)
        batch = Batch.of(*small.samples(program, 10))
        counts[sharpness] = next(qzo_ff(engine, lambda step, batch=batch: batch, range(1), 2))
    assert counts[8].forward_passes == counts[0].forward_passes + 20
    assert counts[8].losses != counts[0].losses
