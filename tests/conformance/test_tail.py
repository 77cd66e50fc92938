"""The exact tail in the C core against the reference: losses, votes, weights and state, on hosts and on a device."""

from dataclasses import replace

import numpy as np
import pytest
import small
from alike import same_everywhere
from plain import plain
from random_networks import random_case, run

from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import for_training

STEPS = 4
SETTINGS = {"steps": STEPS, "epsilon": 0.05, "lr": 0.1, "tail": "exact", "tail_rate": 1.0, "batch": 8}


def planned(program, train="all", **settings):
    count = program.parameter_count
    chosen = {"all": range(count), "head": range(count - 2, count), "bias": range(1, count, 2)}[train]
    return for_training(program, chosen, plain(**SETTINGS | settings))


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("train", ["all", "head", "bias"])
@pytest.mark.parametrize("share_batch", [False, True])
@pytest.mark.parametrize("rounding, momentum", [("nearest", 0.0), ("stochastic", 0.9), ("floor", 0.5)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_training_gives_the_same_bits_everywhere(dtype, train, share_batch, rounding, momentum, per_channel):
    given = small.small_program(dtype, per_channel)
    settings = {"rounding": rounding, "momentum": momentum, "directions": 2, "share_batch": share_batch}
    if dtype != "s16" and train != "bias":
        settings["low_bits"] = {"nearest": "fraction-4", "stochastic": "fraction-8", "floor": "fraction-2"}[
            rounding
        ]
    program, plan = planned(given, train, **settings)
    x, y = small.samples(program, 7)
    assert same_everywhere(program, plan, x, y, STEPS) != given.weights


def test_random_networks_with_a_tail_train_to_the_same_bits():
    """Every layer that can be a tail, whatever lies before it, how many rows it has, and what it reads."""
    tried = 0
    for number in range(0, 1500, 7):
        case = random_case(number)
        op = case.program.ops[-1]
        lo, hi = (-32768, 32767) if case.program.tensors[op.output].dtype == "s16" else (-128, 127)
        open_ended = replace(op, what=replace(op.what, lo=lo, hi=hi))
        program = replace(case.program, ops=(*case.program.ops[:-1], open_ended))
        low = op.what.parametric and program.tensors[op.weight].q_max <= 127
        try:
            program, plan = planned(
                program,
                steps=19,
                share_batch=case.plan.share_batch,
                directions=2,
                tail_rate=0.01,
                low_bits="fraction-4" if low else "direct",
            )
        except StepforwardError:
            continue
        case = case._replace(program=program, plan=plan)
        assert run(case, case.core()) == run(case, ReferenceEngine(program, plan)), f"case {number}"
        tried += 1
    assert tried > 50


def test_votes_move_the_body_and_the_gradient_the_head():
    program, plan = planned(small.small_program())
    engine = CoreEngine(program, plan)
    engine.update(0, [0] * plan.directions)
    assert engine.snapshot().weights == program.weights  # no votes, and nothing gathered
    x, y = small.samples(program, 7)
    engine.losses(0, Batch.of(x, y), [PLAIN])
    engine.update(0, [0] * plan.directions)
    assert engine.snapshot().weights == program.weights  # not asked to gather
    engine.losses(0, Batch.of(x, y), [PLAIN], gather=True)
    engine.update(0, [0] * plan.directions)
    moved = engine.snapshot().weights
    first = program.tensors[plan.trainable[-2].tensor].offset
    assert moved[:first] == program.weights[:first] and moved[first:] != program.weights[first:]
    assert not any(engine.snapshot().state)  # nothing is left for the next step


def test_a_head_alone_learns_without_a_probe():
    program, plan = planned(small.small_program(), "head", steps=200, tail_rate=0.25)
    x, y = small.samples(program, 8)
    engine = CoreEngine(program, plan)
    steps = list(qzo_ff(engine, lambda _: Batch.of(x, y), range(200), plan.directions, plan.share_batch))
    assert {step.forward_passes for step in steps} == {8} and not any(any(step.votes) for step in steps)
    assert steps[-1].losses[0] < steps[0].losses[0] / 2
    assert (logits_of(engine, x).argmax(1) == y).mean() >= 0.75


@pytest.mark.parametrize("batch, bits", [(8, 14), (257, 14), (258, 13), (32_000, 7)])
def test_errors_have_as_many_bits_as_the_batch_leaves_room_for(batch, bits):
    assert planned(small.small_program(), batch=batch, share_batch=True)[1].tail.bits == bits


def test_more_samples_than_the_plan_has_room_for_are_refused():
    program, plan = planned(small.small_program(), "head", batch=514)
    x, y = (np.repeat(part, 100, axis=0) for part in small.samples(program, 6))
    for engine in (CoreEngine(program, plan), ReferenceEngine(program, plan)):
        engine.losses(0, Batch.of(x[:514], y[:514]), [PLAIN], gather=True)
        with pytest.raises(StepforwardError, match=r"samples|too"):
            engine.losses(0, Batch.of(x[:1], y[:1]), [PLAIN], gather=True)
    with pytest.raises(StepforwardError):
        DeviceLoop(program, plan).step(Batch.of(x, y))
