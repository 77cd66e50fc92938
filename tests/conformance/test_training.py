"""Training in the C core against the reference: the same losses, votes and weights, in every format and whatever the
layers, their rows, the memory, the threads and the sharing of the batch."""

from functools import cache

import numpy as np
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import plain
from random_networks import CYCLE, Builder, Case, is_of_this_level, random_case, run

from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch, Snapshot, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.table import BY_KIND
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

PART = CYCLE // 24
WITHOUT = {
    *("conv", "depthwise", "fully_connected", "reshape", "concat"),
    *("pad", "max_pool", "average_pool", "transpose"),
}
"""Kinds that the networks of every operator have at certain places, or in the order of images."""


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("rows, channels", [(9, 30), (12, 8), (16, 16), (16, 4), (17, 16), (33, 6)])
@pytest.mark.parametrize("share_batch", [False, True])
def test_panels_of_long_rows_train_to_the_same_weights(dtype, rows, channels, share_batch):
    """Rows are staged in 16 bits, also where they are packed into bytes."""
    program = small.wide_program(dtype, rows, channels)
    settings = plain(
        steps=9, epsilon=0.1, lr=0.2, directions=1 + share_batch, seed=3, share_batch=share_batch
    )
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 4)
    engines = CoreEngine(program, plan, threads=1), ReferenceEngine(program, plan)
    first, second = (
        list(qzo_ff(engine, lambda step: Batch.of(x, y), range(2), plan.directions, share_batch))
        for engine in engines
    )
    assert first == second
    assert engines[0].snapshot().weights == engines[1].snapshot().weights != program.weights


@pytest.mark.parametrize("part", range(CYCLE // PART))
def test_random_networks_train_to_the_same_bits(part):
    for number in filter(is_of_this_level, range(part * PART, (part + 1) * PART)):
        case = random_case(number)
        assert run(case, case.core()) == run(case, ReferenceEngine(case.program, case.plan)), f"case {number}"


def trained_alike(program, **settings):
    plan = plan_training(program, range(program.parameter_count), plain(steps=9, **settings))
    program = plan_arena(program, plan.first_op)
    x = (
        np.random.default_rng(3)
        .integers(-128, 128, (3, *program.tensors[program.input].shape))
        .astype(np.int8)
    )
    y = np.array([0, 1, 0], np.int32)
    cases = [Case(0, program, plan, x, y, memory, 1, None) for memory in ("fast", "small", "device")]
    expected = run(cases[0], ReferenceEngine(program, plan))
    for case in cases:
        assert run(case, case.core()) == expected, case.memory


@pytest.mark.parametrize("seed", range(4))
def test_networks_of_every_operator_train_to_the_same_bits(seed):
    """Each kind once, in random order, between a convolution and the logits."""
    rng = np.random.default_rng(seed)
    net = Builder(rng)
    dtype = ("s16", "s8", "s4")[seed % 3]
    at = net.depthwise(net.conv(net.input((3, 5, 2)), dtype, 4, (1, 1)), dtype)
    pools, others = ["pad", "max_pool", "average_pool", "transpose"], sorted({*BY_KIND} - WITHOUT)
    for kind in rng.permutation([*pools, *others]):
        at = net.between(at, str(kind))
    for kind in ("reshape", "concat"):
        at = net.between(at, kind)
    program = net.program(net.dense(at, dtype, 3, last=True))
    assert {op.kind for op in program.ops} == {*BY_KIND}
    trained_alike(program, directions=2, share_batch=bool(seed % 2), epsilon=0.05, lr=0.05)


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_more_channels_than_a_tile_of_a_depthwise_convolution(dtype, momentum):
    """A tile has at most 256 rows: each tap of the next one begins elsewhere in the weights."""
    net = Builder(np.random.default_rng(6))
    at = net.depthwise(net.input((4, 5, 270)), dtype)
    trained_alike(net.program(at), momentum=momentum, directions=1, share_batch=False)


@pytest.mark.parametrize("length", [66310, 66312])
def test_rows_of_bytes_at_the_edge_of_what_32_bits_can_add_up(length):
    """66,311 products of s8 and u8 fit; beyond it bytes are widened like everything else."""
    weight = Tensor("w", (2, length), "s8", (0.01,), offset=0)
    bias = Tensor("b", (2,), "s32", (2e-4,), offset=2 * length)
    x = Tensor("x", (length,), "s8", (0.02,), 127, offset=-1)
    y = Tensor("y", (2,), "s16", (0.02,))
    what = FullyConnected(rescale=((40000, 32),), lo=-32768, hi=32767)
    op = Op("op", what, (2,), 3, weight=0, bias=1)
    q = np.full((2, length), 127)
    q[1] = -127
    program = plan_arena(Program((weight, bias, x, y), (op,), 2, 3, 2, pack(weight, q) + bytes(8)))
    least = np.full((2, length), -128, np.int8)
    assert np.array_equal(
        logits_of(CoreEngine(program, threads=1), least), logits_of(ReferenceEngine(program), least)
    )
    trained_alike(program, epsilon=0.05, lr=0.05, directions=2)


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("rounding", ["nearest", "floor", "stochastic"])
def test_votes_so_large_that_moves_take_64_bits(dtype, rounding):
    program = small.small_program(dtype)
    settings = plain(steps=9, lr=0.3, directions=4, rounding=rounding, share_batch=False)
    plan = plan_training(program, range(8), settings)
    engines = CoreEngine(program, plan), ReferenceEngine(program, plan)
    for step, votes in enumerate(
        [(127, -128, 127, 126), (-128, -128, -128, -128), (0, 0, 0, 0), (1, 0, -3, 127)]
    ):
        for engine in engines:
            engine.update(step, votes)
        assert engines[0].snapshot().weights == engines[1].snapshot().weights != program.weights


@pytest.mark.parametrize("share_batch", [False, True])
@pytest.mark.parametrize(
    "changes", [{}, {"momentum": 0.9}, {"directions": 16, "rounding": "stochastic"}], ids=str
)
def test_graded_votes_train_to_the_same_bits(changes, share_batch):
    program = small.small_program()
    settings = {"steps": 9, "lr": 0.02, "directions": 3, "sizes": "relative", "votes": "graded"} | changes
    plan = plan_training(program, range(8), plain(share_batch=share_batch, **settings))
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 20)
    batch = Batch.of(x, y)
    core, reference, device = (
        CoreEngine(program, plan),
        ReferenceEngine(program, plan),
        DeviceLoop(program, plan),
    )
    first, second = (
        list(qzo_ff(engine, lambda step: batch, range(9), plan.directions, share_batch))
        for engine in (core, reference)
    )
    assert first == second and max(abs(vote) for step in first for vote in step.votes) > 1
    assert [step.votes for step in first] == [device.step(batch) for _ in range(9)]
    assert core.snapshot() == reference.snapshot() == device.snapshot()
    assert core.vote_scale == reference.vote_scale > 0
    core.restore(Snapshot(program.weights))
    assert core.vote_scale == 0


LOSSES = st.one_of(st.integers(-(2**62), 2**62), st.integers(-(2**29), 2**29), st.integers(-300, 300))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(LOSSES, min_size=6, max_size=6), min_size=1, max_size=12))
def test_graded_votes_of_any_losses_are_the_definition_s(steps):
    core, reference = voters()
    core.vote_scale = reference.vote_scale = 0
    for losses in steps:
        assert core.votes(losses) == reference.votes(losses)
        assert core.vote_scale == reference.vote_scale < 2**56


@cache
def voters():
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=9, directions=3, votes="graded"))
    return CoreEngine(program, plan, threads=1), ReferenceEngine(program, plan)
