"""The C core against the reference: equality to the last bit, whatever the operator, format, threads or block size."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain import plain
from random_networks import examples
from random_programs import (
    broadcast_programs,
    concat_programs,
    conv_programs,
    depthwise_programs,
    elementwise_programs,
    fully_connected_programs,
    in_some_rounding,
    inputs,
    layer_norm_programs,
    matmul_programs,
    move_programs,
    pool_programs,
    recurrent_programs,
    softmax_programs,
    tiled_programs,
    wide_sum_programs,
)

from stepforward.arithmetic.rounding import CONTRACT, FLOAT, TWICE
from stepforward.engines.core import CoreEngine, aligned_bytes, device_inference_bytes, device_scratch_bytes
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.host_memory import CHOICES
from stepforward.engines.protocol import PLAIN, Batch, Move, Snapshot, Trial, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.journal import JournalWriter, parse
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.methods.trials import both_sides
from stepforward.operators.conv import Conv
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.rescale import Rescale
from stepforward.operators.table import BY_KIND
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
programs = st.one_of(
    conv_programs(),
    tiled_programs(),
    depthwise_programs(),
    fully_connected_programs(),
    pool_programs(),
    elementwise_programs(),
    broadcast_programs(),
    concat_programs(),
    move_programs(),
    softmax_programs(),
    layer_norm_programs(),
    matmul_programs(),
    wide_sum_programs(),
    recurrent_programs(),
)
memories = st.sampled_from(sorted(CHOICES))


@settings(relaxed, max_examples=examples(350))
@given(in_some_rounding(programs), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1), memories)
def test_every_operator_gives_the_same_logits(program, n, block, seed, memory):
    x, y = inputs(program, n, np.random.default_rng(seed))
    plan = None
    if program.parameter_count:
        plan = plan_training(program, range(program.parameter_count), plain(steps=1))
    core, reference = CoreEngine(program, plan, 1, block, memory), ReferenceEngine(program, plan)
    core._scratch[:] = np.random.default_rng(seed).integers(0, 256, core._scratch.size)  # left by others
    expected = logits_of(reference, x)
    assert np.array_equal(logits_of(core, x), expected)
    batch = Batch.of(x, y)
    if plan is not None:
        assert core.losses(0, batch, [PLAIN]) == reference.losses(0, batch, [PLAIN])
    assert np.array_equal(device_logits(program, x), expected)


def test_a_padded_row_of_one_group_as_long_as_a_row_of_all_groups():
    """Both hold two numbers here, and only one of them is the image's."""
    tensors = (
        Tensor("w", (2, 1, 2, 1), "s16", (3e-5,), offset=0),
        Tensor("b", (2,), "s32", (6e-7,), offset=8),
        Tensor("x", (1, 1, 2), "s8", (0.02,), offset=-1),
        Tensor("y", (1, 1, 2), "s8", (0.02,), offset=0),
    )
    window = {"kernel": (1, 2), "padding": (0, 0, 0, 1), "groups": 2}
    op = Op("op", Conv(rescale=((32768, 29),), **window), (2,), 3, weight=0, bias=1)
    weights = np.array([730, -15087, 12750, 32461, -850, -1, 10, 0], "<i2").tobytes()
    program = Program(tensors, (op,), 2, 3, 2, weights, arena_bytes=8)
    x = np.array([[[[89, -128]]]], np.int8)
    assert np.array_equal(
        logits_of(CoreEngine(program, threads=1), x), logits_of(ReferenceEngine(program), x)
    )


@pytest.mark.parametrize(
    "padding", [(9000, 0, 0, 0), (0, 0, 9000, 0), (9000, 3, 9000, 5), (1, 9000, 1, 9000)]
)
@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_bands_that_lie_in_the_padding_stay_inside_the_working_memory(kind, padding):
    """More rows of padding than a band has: some bands see nothing of the image."""
    height, width = 2 + padding[0] + padding[2], 2 + padding[1] + padding[3]
    tensors = (
        Tensor("w", (1, 1, 2) if kind == "depthwise" else (2, 1, 1, 2), "s16", (3e-5,), offset=0),
        Tensor("b", (2,), "s32", (6e-7,), offset=8),
        Tensor("x", (2, 2, 2), "s8", (0.02,), 3, offset=-1),
        Tensor("y", (height, width, 2), "s8", (0.02,), offset=0),
    )
    op = Op("op", BY_KIND[kind](rescale=((32768, 29),), padding=padding), (2,), 3, weight=0, bias=1)
    weights = np.array([730, -15087, 12750, 32461, -850, -1, 10, 0], "<i2").tobytes()
    program = plan_arena(Program(tensors, (op,), 2, 3, 2, weights))
    x = np.arange(-4, 4, dtype=np.int8).reshape(1, 2, 2, 2) * 31
    engine = CoreEngine(program, threads=1, block=1)
    size = engine._scratch.size
    engine._scratch = aligned_bytes(size + (1 << 20))
    engine._scratch[:] = 77
    assert np.array_equal(logits_of(engine, x), logits_of(ReferenceEngine(program), x))
    assert (engine._scratch[size:] == 77).all()


LAYERS = {  # kind, input channels, rows, kernel, stride, largest weight
    "first": ("conv", 1, 6, 5, 1, 32767),
    "few rows": ("conv", 3, 8, 3, 2, 32767),
    "pointwise": ("conv", 8, 16, 1, 1, 32767),
    "panels": ("conv", 3, 83, 3, 1, 32767),
    "tiles": ("conv", 16, 40, 3, 1, 3640),
    "depthwise joined by twos": ("depthwise", 8, 8, 3, 1, 32767),
    "depthwise half full": ("depthwise", 8, 8, 3, 2, 32767),
    "depthwise joined with a rest": ("depthwise", 24, 24, 3, 1, 32767),
    "depthwise": ("depthwise", 48, 48, 3, 1, 32767),
}


def layer_program(layer, rng, weight_dtype, largest, biases, y, **what):
    """One of LAYERS on an image of 11x19; y: dtype and zero point of its outputs."""
    kind, channels, rows, kernel, stride, _ = LAYERS[layer]
    pad = kernel // 2
    shape = (kernel, kernel, channels) if kind == "depthwise" else (rows, kernel, kernel, channels)
    weight = Tensor("w", shape, weight_dtype, (1e-4,), 0, 0)
    packed = pack(weight, rng.integers(-largest, largest + 1, shape))
    packed += bytes(-len(packed) % 4)
    bias = Tensor("b", (rows,), "s32", (1e-6,), 0, len(packed))
    x = Tensor("x", (11, 19, channels), "s8", (0.02,), -128, offset=-1)
    out = [(size + 2 * pad - kernel) // stride + 1 for size in (11, 19)]
    y = Tensor("y", (*out, rows), y[0], (0.02,), y[1], offset=0)
    window = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": (pad, pad, pad, pad)}
    op = Op("op", BY_KIND[kind](**window, **what), (2,), 3, weight=0, bias=1)
    return plan_arena(Program((weight, bias, x, y), (op,), 2, 3, 2, packed + pack(bias, biases)))


@pytest.mark.parametrize("dtype, lo, hi", [("s8", -128, 127), ("s8", -50, 33), ("s16", -32768, 32767)])
@pytest.mark.parametrize("zero_point", [-128, 0, 127])
@pytest.mark.parametrize("shift", [31, 38, 40])  # at 40 a zero point does not fit in front of the shift
@pytest.mark.parametrize("layer", LAYERS)
def test_every_way_to_requantize(layer, shift, zero_point, dtype, lo, hi):
    rng, rows, largest = np.random.default_rng(shift), LAYERS[layer][2], LAYERS[layer][5]
    rescale = tuple((int(mult), shift) for mult in rng.choice([0, 20000, 32768, 65535], rows))
    biases = rng.integers(-(10**6), 10**6, rows)
    program = layer_program(
        layer, rng, "s16", largest, biases, (dtype, zero_point), rescale=rescale, lo=lo, hi=hi
    )
    samples, _ = inputs(program, 2, rng)
    expected = logits_of(ReferenceEngine(program), samples)
    assert np.array_equal(logits_of(CoreEngine(program, threads=1), samples), expected)
    assert np.array_equal(device_logits(program, samples), expected)


@pytest.mark.parametrize("dtype", ["s16", "s8"])
@pytest.mark.parametrize("layer", LAYERS)
def test_floats_beyond_what_an_integer_holds(layer, dtype):
    """Sums of 2^29 times eight: a conversion to int32 alone would turn the largest into the smallest."""
    rng, rows = np.random.default_rng(0), LAYERS[layer][2]
    biases = rng.permutation(np.resize([-(1 << 29), 1 << 29, 0], rows))
    program = layer_program(
        layer, rng, dtype, 100, biases, ("s8", -3), rescale=((1 << 23, 20),), rounding=FLOAT
    )
    samples, _ = inputs(program, 2, rng)
    expected = logits_of(ReferenceEngine(program), samples)
    assert {-128, 127} <= set(expected.ravel().tolist())
    assert np.array_equal(logits_of(CoreEngine(program, threads=1), samples), expected)
    assert np.array_equal(device_logits(program, samples), expected)


SEVERAL_BANDS = [  # height, width, channels; rows; padding
    ((45, 43, 32), 16, (1, 1, 1, 1)),
    ((31, 50, 64), 40, (0, 2, 1, 0)),
    ((23, 84, 10), 33, (2, 0, 0, 1)),
    ((9, 120, 66), 9, (1, 1, 0, 1)),
]


def tiled(
    shape, rows, padding, weights, zero_point=-128, shift=34, dtype="s16", kernel=(3, 3), stride=(1, 1)
):
    """A program of one convolution, 3x3 of stride one unless told."""
    height, width, channels = shape
    packed = np.asarray(weights, {"s16": "<i2", "s8": "i1"}[dtype]).tobytes()
    packed += bytes(-len(packed) % 4)
    out = (
        (height + padding[0] + padding[2] - kernel[0]) // stride[0] + 1,
        (width + padding[1] + padding[3] - kernel[1]) // stride[1] + 1,
        rows,
    )
    tensors = (
        Tensor("w", (rows, *kernel, channels), dtype, (1e-4,), 0, 0),
        Tensor("b", (rows,), "s32", (1e-6,), 0, len(packed)),
        Tensor("x", shape, "s8", (0.02,), zero_point, offset=-1),
        Tensor("y", out, "s8", (0.02,)),
    )
    conv = Conv(rescale=((40000, shift),), kernel=kernel, stride=stride, padding=padding)
    op = Op("op", conv, (2,), 3, weight=0, bias=1)
    return plan_arena(Program(tensors, (op,), 2, 3, 2, packed + bytes(4 * rows)))


def untouched_beyond(program, x, memory):
    """Compares with the reference, and returns what it gives; what lies beyond the working memory stays as it was."""
    engine = CoreEngine(program, threads=1, block=2, memory=memory)
    size = engine._scratch.size
    engine._scratch = aligned_bytes(size + (1 << 16))
    engine._scratch[:] = 77
    expected = logits_of(ReferenceEngine(program), x)
    assert np.array_equal(logits_of(engine, x), expected)
    assert (engine._scratch[size:] == 77).all()
    return expected


@pytest.mark.parametrize("shape, rows, padding", SEVERAL_BANDS)
@pytest.mark.parametrize("memory", sorted(CHOICES))
def test_tiles_of_images_that_take_several_bands(shape, rows, padding, memory):
    rng = np.random.default_rng(rows)
    program = tiled(shape, rows, padding, rng.integers(-3640, 3641, (rows, 9 * shape[2])))
    untouched_beyond(program, inputs(program, 2, rng)[0], memory)


FEW_CHANNELS = [  # height, width, channels; rows; kernel, stride, padding
    ((75, 43, 3), 33, (3, 3), (1, 1), (1, 1, 1, 1)),
    ((60, 84, 3), 40, (3, 3), (2, 2), (0, 1, 1, 0)),
    ((31, 50, 1), 64, (10, 4), (2, 2), (4, 1, 5, 1)),
    ((40, 33, 3), 16, (7, 7), (2, 3), (3, 3, 3, 3)),
    ((9, 5, 5), 100, (2, 1), (1, 1), (2, 0, 0, 3)),
]


@pytest.mark.parametrize("shape, rows, kernel, stride, padding", FEW_CHANNELS)
@pytest.mark.parametrize("memory", sorted(CHOICES))
def test_patches_of_few_channels_in_several_bands(shape, rows, kernel, stride, padding, memory):
    rng = np.random.default_rng(rows)
    weights = rng.integers(-127, 128, (rows, *kernel, shape[2]))
    program = tiled(shape, rows, padding, weights, 7, 31, "s8", kernel, stride)
    untouched_beyond(program, inputs(program, 2, rng)[0], memory)


COLUMNS = [  # height, width, channels; rows; padding; stride
    ((32, 32, 16), 16, (1, 1, 1, 1), (1, 1)),
    ((70, 37, 16), 16, (1, 0, 0, 1), (1, 1)),
    ((9, 35, 20), 7, (0, 1, 2, 1), (1, 1)),
    ((40, 90, 4), 12, (0, 0, 0, 0), (1, 2)),
    ((50, 61, 18), 16, (2, 1, 0, 1), (1, 1)),
]
ROUNDINGS = {  # multipliers for sums of some ten thousands
    CONTRACT: ((40000, 24),),
    TWICE: ((1342177280, 39),),
    FLOAT: ((11863283, 32),),
}


@pytest.mark.parametrize("shape, rows, padding, stride", COLUMNS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("lo, hi", [(-128, 127), (-90, 100)])
def test_three_rows_of_weights_that_move_down_a_column(shape, rows, padding, stride, rounding, lo, hi):
    rng = np.random.default_rng(shape[1])
    weights = rng.integers(-127, 128, (rows, 3, 3, shape[2]))
    program = tiled(shape, rows, padding, weights, 7, 31, "s8", stride=stride)
    what = replace(program.ops[0].what, rescale=ROUNDINGS[rounding], rounding=rounding, lo=lo, hi=hi)
    program = replace(program, ops=(replace(program.ops[0], what=what),))
    outputs = untouched_beyond(program, inputs(program, 2, rng)[0], "fast")
    assert (outputs == lo).any() and (outputs == hi).any() and len(np.unique(outputs)) > hi - lo


@pytest.mark.parametrize("largest", [3640, 3641])
@pytest.mark.parametrize("channels", [64, 66, 130])
def test_sums_and_kernels_at_the_edge_of_what_tiles_can_take(channels, largest):
    """9 * 3641 leaves 16 bits; 66 * 9 * 3640 * 255 leaves 30, which four times the sum needs."""
    weights = np.full((9, 9 * channels), largest)
    weights[4:] *= -1
    program = tiled((4, 5, channels), 9, (1, 1, 1, 1), weights, zero_point=127, shift=40)
    x = np.full((1, 4, 5, channels), -128, np.int8)
    assert np.array_equal(
        logits_of(CoreEngine(program, threads=1), x), logits_of(ReferenceEngine(program), x)
    )


def device_logits(program, x):
    """Logits with the row tile and the block of a device."""
    engine = CoreEngine(program, threads=1, block=1, memory="small")
    engine._row_tile = 4
    return logits_of(engine, x)


plans = st.builds(
    plain,
    steps=st.integers(1, 60),
    epsilon=st.sampled_from([1e-3, 0.02, 0.3]),
    lr=st.sampled_from([1e-3, 0.05]),
    directions=st.integers(1, 4),
    seed=st.integers(0, 2**64 - 1),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 0.999]),
    distribution=st.sampled_from(["normal", "rademacher", "binomial"]),
    perturbation=st.sampled_from(["exact", "paper"]),
    rounding=st.sampled_from(["nearest", "floor", "stochastic"]),
    schedule=st.sampled_from(["constant", "linear", "cosine"]),
)
weighted = st.one_of(
    conv_programs(),
    tiled_programs(),
    depthwise_programs(),
    fully_connected_programs(),
    layer_norm_programs(),
    recurrent_programs(),
)


@settings(relaxed, max_examples=examples(120))
@given(weighted, plans, st.sampled_from([(0, 1), (0,), (1,)]), memories, st.data())
def test_perturbed_losses_and_updated_weights_are_the_same(program, settings, trainable, memory, data):
    plan = plan_training(program, trainable, settings)
    x, y = inputs(program, 3, np.random.default_rng(data.draw(st.integers(0, 999))))
    core, reference = CoreEngine(program, plan, threads=1, memory=memory), ReferenceEngine(program, plan)
    for _ in range(3):
        step = data.draw(st.integers(0, settings.steps - 1))
        trials = [PLAIN, *both_sides(3, settings.directions, False)]
        assert core.losses(step, Batch.of(x, y), trials) == reference.losses(step, Batch.of(x, y), trials)
        vote = data.draw(st.sampled_from([st.integers(-1, 1), st.integers(-127, 127)]))
        votes = [data.draw(vote) for _ in range(settings.directions)]
        core.update(step, votes)
        reference.update(step, votes)
        assert core.snapshot().weights == reference.snapshot().weights
    assert np.array_equal(logits_of(core, x), logits_of(reference, x))


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("cut", ["all", "head", "bias"])
@pytest.mark.parametrize("share_batch", [False, True])
def test_a_whole_network_trains_to_the_same_weights(dtype, per_channel, cut, share_batch):
    program = small.small_program(dtype, per_channel)
    chosen = {"all": range(program.parameter_count), "head": [6, 7], "bias": [3, 5]}[cut]
    settings = plain(
        steps=10, epsilon=0.02, lr=0.02, directions=2, seed=7, momentum=0.5, warmup=2, share_batch=share_batch
    )
    plan = plan_training(program, chosen, settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 6)
    reference = ReferenceEngine(program, plan)
    engines = [reference, *(CoreEngine(program, plan, memory=memory) for memory in sorted(CHOICES))]
    expected, *found = [
        list(qzo_ff(engine, lambda step: Batch.of(x, y), range(10), 2, share_batch)) for engine in engines
    ]
    assert all(steps == expected for steps in found)
    assert reference.snapshot().weights != program.weights
    assert all(engine.snapshot() == reference.snapshot() for engine in engines)


low_bit_weights = st.one_of(
    conv_programs(),
    depthwise_programs(),
    fully_connected_programs(),
    layer_norm_programs(),
    recurrent_programs(),
).filter(lambda program: program.tensors[0].dtype != "s16")


@settings(relaxed, max_examples=examples(150))
@given(
    low_bit_weights, plans, st.sampled_from([8, 4, 2]), st.sampled_from([(0, 1), (0,)]), memories, st.data()
)
def test_fraction_bits_below_low_bit_weights(program, settings, bits, trainable, memory, data):
    settings = replace(
        settings, low_bits=f"fraction-{bits}", epsilon=data.draw(st.sampled_from([1e-3, 0.02]))
    )
    plan = plan_training(program, trainable, settings)
    x, y = inputs(program, 3, np.random.default_rng(data.draw(st.integers(0, 999))))
    core, reference = CoreEngine(program, plan, threads=1, memory=memory), ReferenceEngine(program, plan)
    on_device = CoreEngine(program, plan, threads=1, block=1, memory="small")
    on_device._row_tile = 4
    for _ in range(3):
        step = data.draw(st.integers(0, settings.steps - 1))
        trials = [PLAIN, *both_sides(3, settings.directions, False)]
        expected = reference.losses(step, Batch.of(x, y), trials)
        assert core.losses(step, Batch.of(x, y), trials) == expected
        assert on_device.losses(step, Batch.of(x, y), trials) == expected
        votes = [data.draw(st.integers(-127, 127)) for _ in range(settings.directions)]
        for engine in (core, reference, on_device):
            engine.update(step, votes)
        assert core.snapshot() == reference.snapshot() == on_device.snapshot()
    again = ReferenceEngine(program, plan)
    again.restore(core.snapshot())
    assert again.snapshot() == core.snapshot()
    assert np.array_equal(logits_of(core, x), logits_of(again, x))


@settings(relaxed, max_examples=examples(60))
@given(low_bit_weights, plans, st.integers(2, 4), memories, st.data())
def test_steps_that_move_the_weights_together(program, settings, together, memory, data):
    settings = replace(settings, low_bits=f"accumulate-{together}", momentum=0.0)
    plan = plan_training(program, (0, 1), settings)
    x, _ = inputs(program, 2, np.random.default_rng(1))
    core, reference = CoreEngine(program, plan, threads=2, memory=memory), ReferenceEngine(program, plan)
    first = data.draw(st.integers(0, settings.steps - 1))
    for step in range(first, min(first + 7, settings.steps)):
        before = core.snapshot()
        if data.draw(st.booleans()):  # the state is all that a step needs of those before it
            core, reference = CoreEngine(program, plan, 1, memory=memory), ReferenceEngine(program, plan)
            for engine in (core, reference):
                engine.restore(before)
        votes = [data.draw(st.integers(-127, 127)) for _ in range(settings.directions)]
        core.update(step, votes)
        reference.update(step, votes)
        assert core.snapshot() == reference.snapshot()
        if (step + 1) % together and step + 1 < settings.steps:
            assert core.snapshot().weights == before.weights
    assert np.array_equal(logits_of(core, x), logits_of(reference, x))


@pytest.mark.parametrize("dtype", ["s8", "s4"])
@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_whole_low_bit_network_trains_to_the_same_weights(dtype, bits, momentum):
    program = small.small_program(dtype, True)
    settings = plain(
        steps=10, epsilon=0.02, lr=0.005, directions=2, seed=7, low_bits=f"fraction-{bits}", momentum=momentum
    )
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 6)
    reference = ReferenceEngine(program, plan)
    engines = [reference, *(CoreEngine(program, plan, memory=memory) for memory in sorted(CHOICES))]
    expected, *found = [
        list(qzo_ff(engine, lambda step: Batch.of(x, y), range(10), 2, True)) for engine in engines
    ]
    assert all(steps == expected for steps in found)
    assert all(engine.snapshot() == reference.snapshot() for engine in engines)
    assert reference.snapshot().weights != program.weights
    device = DeviceLoop(program, plan)
    assert [device.step(Batch.of(x, y)) for _ in range(10)] == [step.votes for step in expected]
    assert device.snapshot() == reference.snapshot()


@settings(relaxed, max_examples=examples(30))
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 17), memories)
def test_threads_block_size_and_memory_change_nothing(n, threads, block, memory):
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=3, epsilon=0.05, directions=40))
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, n)
    batch, trials = Batch.of(x, y), [PLAIN, *both_sides(n, 40, False)]
    one = CoreEngine(program, plan, threads=1, memory="small")
    many = CoreEngine(program, plan, threads, block, memory)
    assert many.losses(1, batch, trials) == one.losses(1, batch, trials)
    assert np.array_equal(logits_of(many, x), logits_of(one, x))


@pytest.mark.parametrize(
    "directions, steps, share_batch",
    [(1, 130, False), (3, 70, False), (1, 60, True), (3, 70, True), (6, 60, True)],
)
def test_the_step_in_c_writes_the_same_journal_and_weights_as_the_method(
    tmp_path, directions, steps, share_batch
):
    """The batches have four samples: six directions that share them are more than there are."""
    program = small.small_program()
    settings = plain(
        steps=steps,
        epsilon=0.02,
        lr=0.02,
        directions=directions,
        seed=3,
        momentum=0.9,
        share_batch=share_batch,
    )
    plan = plan_training(program, range(8), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 12)
    header = {"seed": 3, "base_sha256": program.weights_sha256}

    def batch(step):
        return Batch.of(x[step % 3 :: 3], y[step % 3 :: 3])

    engine = CoreEngine(program, plan)
    writer = JournalWriter.create(tmp_path / "journal", header, directions)
    pieces: list[bytes] = []
    device = DeviceLoop(program, plan, header, pieces.append)
    for step in qzo_ff(engine, batch, range(steps), directions, share_batch):
        writer.votes(step.votes)
        assert device.step(batch(step.number)) == step.votes
        if step.number == 50:
            writer.evaluation(5, 123456789012)
            device.evaluation(5, 123456789012)
    writer.end(50, "early stop")
    device.end(50, 1)
    writer.close()
    assert b"".join(pieces) == (tmp_path / "journal").read_bytes()
    assert device.snapshot() == engine.snapshot()
    assert len(parse(b"".join(pieces)).votes) == steps


def test_training_needs_the_scratch_of_inference():
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=1))
    assert plan.first_op == 0
    assert device_scratch_bytes(plan_arena(program, plan.first_op)) == device_scratch_bytes(program)
    assert program.arena_bytes <= device_inference_bytes(program) <= device_scratch_bytes(program)
    assert CoreEngine(program, threads=2).scratch_bytes > device_scratch_bytes(program)


@pytest.mark.parametrize("trained", [[6, 7], [3, 5], range(8)], ids=["head", "bias", "all"])
def test_packed_weights_are_never_out_of_date(trained):
    """Whatever is asked in whatever order: frozen weights stay packed between calls, and restore may change them."""
    program = small.small_program()
    plan = plan_training(program, trained, plain(steps=9, epsilon=0.05, lr=0.05, directions=2))
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 5)
    batch, both = Batch.of(x, y), both_sides(5, 2, False)
    fast, small_one = (CoreEngine(program, plan, memory=memory) for memory in ("fast", "small"))
    others = np.random.default_rng(1).integers(0, 256, len(program.weights), dtype=np.uint8).tobytes()
    for step, snapshot in enumerate([None, None, others, None, program.weights, None]):
        for engine in (fast, small_one):
            if snapshot is not None:
                engine.restore(Snapshot(snapshot))
        for some in ([PLAIN], both, both[:1], both[1:], both[::-1]):
            assert fast.losses(3, batch, some) == small_one.losses(3, batch, some)
        assert np.array_equal(logits_of(fast, x), logits_of(small_one, x))
        fast.update(step, [1, -1])
        small_one.update(step, [1, -1])
    assert fast.snapshot().weights == small_one.snapshot().weights


def test_a_machine_with_more_processors_than_a_crew_has_threads(monkeypatch):
    program = small.small_program()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(200)))
    x, _ = small.samples(program, 3)
    assert np.array_equal(logits_of(CoreEngine(program), x), logits_of(ReferenceEngine(program), x))


def test_a_process_ends_while_a_daemon_thread_uses_an_engine():
    code = """
import threading, time, small
from stepforward.engines.core import CoreEngine
program = small.small_program()
engine = CoreEngine(program, threads=4)
x, _ = small.samples(program, 17)
def forever():
    while True:
        logits_of(engine, x)
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.1)
"""
    paths = os.pathsep.join([str(Path(small.__file__).parent), os.environ.get("PYTHONPATH", "")])
    for _ in range(5):
        subprocess.run(
            [sys.executable, "-c", code], timeout=20, check=True, env=os.environ | {"PYTHONPATH": paths}
        )


def test_a_block_is_no_larger_than_the_core_can_count():
    x = Tensor("x", (256, 256, 1), "s8", (0.02,), offset=-1)
    y = Tensor("y", (256, 256, 1), "s8", (0.02,), offset=0)
    op = Op("op", Rescale(rescale=((40000, 16),)), (0,), 1)
    program = plan_arena(Program((x, y), (op,), 0, 1, 0, b""))
    engine = CoreEngine(program, threads=1, block=1 << 16, memory="small")  # 2^32 positions
    assert engine.scratch_bytes <= 2**32  # activations, and as much for the samples of a block
    samples = np.arange(-128, 128, dtype=np.int8).repeat(256).reshape(1, 256, 256, 1)
    assert np.array_equal(logits_of(engine, samples), logits_of(ReferenceEngine(program), samples))


@pytest.mark.parametrize("threads", [1, 3])
def test_one_engine_may_be_asked_from_several_threads(threads):
    program = small.small_program()
    engine = CoreEngine(program, threads=threads)
    x, _ = small.samples(program, 17)
    expected = logits_of(engine, x)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: np.array_equal(logits_of(engine, x), expected), range(4000)))


def test_memory_buys_speed_by_name():
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=1))
    fast, least = (CoreEngine(program, plan, 2, memory=memory).scratch_bytes for memory in ("fast", "small"))
    assert fast - least >= 2 * len(program.weights)
    with pytest.raises(StepforwardError, match="memory = 'huge'"):
        CoreEngine(program, plan, memory="huge")


@pytest.mark.parametrize("rounding", ["nearest", "floor", "stochastic"])
@pytest.mark.parametrize("dtype, size", [("s16", 2), ("s8", 1)])
@pytest.mark.parametrize("directions", [1, 3, 5])
def test_directions_kept_for_the_update_are_those_of_its_step(dtype, size, rounding, directions):
    """Losses of one step, an update of it or of another one, in every order; enough weights for moves by table."""
    rng = np.random.default_rng(5)
    tensors = (
        Tensor("w", (40, 50), dtype, (3e-5 if size == 2 else 8e-3,), offset=0),
        Tensor("b", (40,), "s32", (6e-7,), offset=2000 * size),
        Tensor("x", (50,), "s8", (0.02,), 3, offset=-1),
        Tensor("y", (40,), "s16", (0.02,), offset=0),
    )
    what = FullyConnected(rescale=((32768, 28),), lo=-32768, hi=32767)
    op = Op("op", what, (2,), 3, weight=0, bias=1)
    most = 2 ** (8 * size - 1) - 1
    weights = rng.integers(-most, most + 1, 2000).astype(f"<i{size}").tobytes() + bytes(160)
    program = Program(tensors, (op,), 2, 3, 2, weights)
    settings = plain(
        steps=9, epsilon=0.01, lr=0.03, rounding=rounding, schedule="linear", directions=directions
    )
    plan = plan_training(program, [0, 1], settings)
    program = plan_arena(program, plan.first_op)
    x, y = rng.integers(-128, 128, (6, 50)).astype(np.int8), rng.integers(0, 40, 6)
    core, reference = CoreEngine(program, plan, threads=2), ReferenceEngine(program, plan)

    batch = Batch.of(x, y)

    def apart(step, *signs):
        """Losses of every direction, each in a call of its own."""
        for direction in range(directions):
            some = [Trial((Move(direction, sign),)) for sign in signs]
            assert core.losses(step, batch, some) == reference.losses(step, batch, some)

    def together(step):
        some = both_sides(6, directions, False)
        assert core.losses(step, batch, some) == reference.losses(step, batch, some)

    def update(step, vote):
        for engine in (core, reference):
            engine.update(step, [vote, 0, -vote, vote, 1][:directions])
        assert core.snapshot().weights == reference.snapshot().weights

    assert np.array_equal(logits_of(core, x), logits_of(reference, x))  # leaves packed weights of one probe
    apart(0, +1, -1)
    update(0, 1)
    update(1, -1)
    together(1)
    update(1, 127)
    apart(3, -1, +1)
    apart(4, +1)
    update(4, 1)
    assert np.array_equal(logits_of(core, x), logits_of(reference, x))
    update(3, 1)
    apart(5, +1, +1)
    update(5, 1)
    together(6)
    apart(6, -1, +1)
    core.restore(reference.snapshot())
    update(6, 127)
    update(7, 0)
    assert core.snapshot().weights != program.weights


def test_restore_brings_old_weights_back():
    program = small.small_program()
    engine = CoreEngine(program, plan_training(program, range(8), plain(steps=1, lr=0.1, directions=1)))
    before = engine.snapshot()
    engine.update(0, [1])
    assert engine.snapshot() != before
    engine.restore(before)
    assert engine.snapshot() == before == (program.weights, b"")


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda e, x, y: logits_of(e, x.astype(np.int16)), "takes int8 samples"),
        (lambda e, x, y: logits_of(e, x[:, 1:]), "takes int8 samples"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y[:-1]), []), "integer labels"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y.astype(float)), []), "integer labels"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y + 10), [PLAIN]), "classes 0 to 3"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y - 10), [PLAIN]), "classes 0 to 3"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y + np.int64(1 << 32)), [PLAIN]), "classes 0 to 3"),
        (
            lambda e, x, y: e.losses(0, Batch.of(x, y + np.uint64(1 << 63)), [PLAIN]),
            "classes 0 to 3|integer labels",
        ),
        (lambda e, x, y: e.losses(0, Batch.of(x), [PLAIN]), "a batch with 0 targets"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y), [Trial((Move(0, 1), Move(1, 1)))]), "a trial with"),
        (lambda e, x, y: e.losses(0, Batch.of(x, y), [Trial((Move(0, 2),))]), "amount=2"),
        (lambda e, x, y: e.outputs(Batch({"x": x, "z": x})), r"a batch with 2 inputs \(x, z\)"),
        (lambda e, x, y: e.update(0, [1]), "2 votes"),
        (lambda e, x, y: e.update(0, [1, 200]), "2 votes"),
        (lambda e, x, y: e.update(5, [1, 1]), "outside the plan"),
        (lambda e, x, y: e.restore(Snapshot(b"1234")), "does not fit .* of weights"),
        (
            lambda e, x, y: e.restore(e.snapshot()._replace(state=b"1234")),
            "4 bytes does not fit .* 0 bytes of state",
        ),
        (
            lambda e, x, y: CoreEngine(e.program).losses(0, Batch.of(x, y), both_sides(len(y), 1, False)),
            "no training plan",
        ),
        (lambda e, x, y: CoreEngine(e.program).update(0, [1]), "no training plan"),
        (lambda e, x, y: CoreEngine(e.program, threads=1000), "threads = 1000"),
    ],
)
def test_what_the_engine_refuses(act, message):
    program = small.small_program()
    engine = CoreEngine(program, plan_training(program, range(8), plain(steps=5, directions=2)))
    with pytest.raises(StepforwardError, match=message):
        act(engine, *small.samples(program, 4))


def test_a_plan_of_another_program_is_refused():
    program, other = small.small_program(), small.small_program(per_channel=True)
    plan = plan_training(other, range(8), plain(steps=5))
    with pytest.raises(StepforwardError, match="another program"):
        CoreEngine(program, plan)
    late = plan_training(program, [6, 7], plain(steps=5))
    early = plan_training(program, [0], plain(steps=5))
    with pytest.raises(StepforwardError, match="another program"):
        CoreEngine(plan_arena(program, late.first_op), early)
