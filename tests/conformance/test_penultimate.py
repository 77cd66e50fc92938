"""The layer before the last by its exact gradient, in the C core against the reference, on hosts and on a device."""

from dataclasses import replace

import numpy as np
import pytest
import small
from alike import same_everywhere
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan import fileformat
from stepforward.plan.make import for_training
from stepforward.program.arena import plan_arena

STEPS = 3
SETTINGS = {
    "steps": STEPS,
    "epsilon": 0.05,
    "lr": 0.1,
    "tail": "exact",
    "tail_layers": 2,
    "batch": 19,
    "directions": 2,
}
NETWORKS = {
    "averaged": lambda dtype: small.wide_program(
        dtype, rows=17
    ),  # padded, 3x3, one row of weights beyond a panel
    "pointwise": small.pointwise_program,  # two tiles of channels and of inputs, the second of each not full
    "connected": small.long_rows_program,
    "per channel": lambda dtype: small.long_rows_program(dtype, per_channel=True),
}


def planned(program, train="last", **settings):
    count = program.parameter_count
    moving = {"all": range(count), "last": range(count - 4, count), "weights": (count - 4, count - 2)}[train]
    return for_training(program, moving, plain(**SETTINGS | settings))


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("train", ["all", "last", "weights"])
@pytest.mark.parametrize("share_batch, rounding", [(False, "nearest"), (True, "stochastic")])
def test_training_gives_the_same_bits_everywhere(dtype, network, train, share_batch, rounding):
    given = NETWORKS[network](dtype)
    low = {} if dtype == "s16" else {"low_bits": "fraction-8" if share_batch else "fraction-2"}
    program, plan = planned(given, train, share_batch=share_batch, rounding=rounding, **low)
    assert plan.tail.before.count == (1 if train == "weights" else 2)
    x, y = small.samples(program, 19)
    weights = same_everywhere(program, plan, x, y, STEPS)
    for entry in plan.trainable[-plan.tail.tensors :]:
        tensor = program.tensors[entry.tensor]
        where = slice(tensor.offset, tensor.offset + tensor.bytes)
        if dtype == "s16":  # of fewer bits, the moves of a few steps may lie in the fractions alone
            assert weights[where] != given.weights[where], tensor.name


@pytest.mark.parametrize("rows, channels", [(5, 7), (16, 16), (20, 33), (64, 64), (130, 50)])
def test_a_convolution_at_every_place_has_the_same_sums_whatever_its_channels(rows, channels):
    program, plan = planned(small.pointwise_program(rows=rows, channels=channels))
    x, y = small.samples(program, 3)
    moved = set()
    for engine in (CoreEngine(program, plan, threads=1), ReferenceEngine(program, plan)):
        engine.losses(0, Batch.of(x, y), [PLAIN], gather=True)
        engine.update(0, [0, 0])
        moved.add(engine.snapshot().weights)
    assert len(moved) == 1 and moved != {program.weights}


def test_a_step_does_not_depend_on_the_size_of_what_follows():
    """The gradient counts in its own deviations: a last layer of half the scale moves the one before it as far."""
    given = small.wide_program("s16")
    moved = []
    for less in (1, 2):
        weights = bytearray(given.weights)
        tensor = given.tensors[given.ops[-1].weight]
        where = slice(tensor.offset, tensor.offset + tensor.bytes)
        weights[where] = (np.frombuffer(weights[where], "<i2") // less).astype("<i2").tobytes()
        program, plan = planned(replace(given, weights=bytes(weights)), temperature=64.0)
        engine = CoreEngine(program, plan)
        x, y = small.samples(program, 8)
        engine.losses(0, Batch.of(x, y), [PLAIN], gather=True)
        engine.update(0, [0, 0])
        own = program.tensors[program.ops[plan.tail.before.op].weight]
        now = np.frombuffer(engine.snapshot().weights, "<i2", own.elements, own.offset).astype(int)
        moved.append(now - np.frombuffer(given.weights, "<i2", own.elements, own.offset))
    assert np.corrcoef(*moved)[0, 1] > 0.9
    assert np.std(moved[0]) == pytest.approx(np.std(moved[1]), rel=0.05)


def test_two_layers_learn_without_a_probe():
    program, plan = planned(small.long_rows_program("s16"), steps=100, tail_rate=0.5, batch=8)
    x, y = small.samples(program, 8)
    engine = CoreEngine(program, plan)
    steps = list(qzo_ff(engine, lambda _: Batch.of(x, y), range(100), 2))
    assert {step.forward_passes for step in steps} == {8} and not any(any(step.votes) for step in steps)
    assert steps[-1].losses[0] < steps[0].losses[0] / 4
    assert (logits_of(engine, x).argmax(1) == y).all()


@pytest.mark.parametrize("batch, bits", [(8, 14), (200, 9), (1600, 6), (4000, None)])
def test_errors_have_as_many_bits_as_batch_and_positions_leave_room_for(batch, bits):
    plan = planned(small.wide_program("s16"), batch=batch)[1]
    assert (plan.tail.before and plan.tail.before.bits) == bits  # None: votes move the layer


def test_a_batch_that_neither_layer_has_room_for_is_refused():
    with pytest.raises(
        StepforwardError, match=r"80000 samples .* 32 bits"
    ):  # both sides, once votes move a layer
        planned(small.wide_program("s16"), batch=40_000, share_batch=True)


def test_more_samples_than_the_plan_has_room_for_are_refused():
    program, plan = planned(small.wide_program("s16"), batch=200)  # 9 bits, 63 positions: 261 samples
    x, y = (np.repeat(part, 29, axis=0) for part in small.samples(program, 9))
    for engine in (CoreEngine(program, plan), ReferenceEngine(program, plan)):
        engine.losses(0, Batch.of(x, y), [PLAIN], gather=True)
        with pytest.raises(StepforwardError, match=r"samples|too"):
            engine.losses(0, Batch.of(x[:1], y[:1]), [PLAIN], gather=True)


@pytest.mark.parametrize("network", [small.small_program, small.shared_network])
def test_a_layer_whose_outputs_do_not_go_straight_through_keeps_its_votes(network):
    """Flattened positions, weights that two layers share."""
    given = network()
    program = given if network is small.small_program else lower(given)
    assert planned(program, "all")[1].tail.before is None


def test_one_layer_stays_one_layer():
    assert planned(small.wide_program("s16"), tail_layers=1)[1].tail.before is None


def test_an_arena_that_does_not_keep_what_the_gradient_reads_is_refused():
    program, plan = planned(small.wide_program("s16"))
    without = plan_arena(program, plan.first_op)
    assert without.arena_bytes <= program.arena_bytes
    assert fileformat.from_bytes(fileformat.to_bytes(plan)) == plan
    CoreEngine(program, plan)
    with pytest.raises(StepforwardError, match=r"plan"):
        CoreEngine(without, plan)


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": 0},
        {"op": 3},
        {"op": 99},
        {"count": 1},
        {"bits": 0},
        {"bits": 15},
        {"shift": 31},
    ],
    ids=str,
)
def test_a_hostile_plan_is_refused(wrong):
    program, plan = planned(small.wide_program("s16"))
    tail = replace(plan.tail, before=replace(plan.tail.before, **wrong))
    with pytest.raises((StepforwardError, IndexError)):
        CoreEngine(program, replace(plan, tail=tail))
