"""Epsilon and the learning rate as shares of each tensor's own size."""

from dataclasses import replace

import numpy as np
import pytest
from plain import plain
from small import samples, small_program

from stepforward.arithmetic.step import channels
from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch, Move, Trial
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.fileformat import to_bytes
from stepforward.plan.make import for_training, plan_training
from stepforward.plan.quanta import quanta
from stepforward.plan.sizes import quantum
from stepforward.program.weights import pack_all, unpack, unpack_all

RELATIVE = plain(steps=9, sizes="relative", epsilon=0.04, lr=0.03)


@pytest.mark.parametrize(("dtype", "per_channel"), [("s16", False), ("s8", True), ("s4", False)])
def test_a_weight_is_measured_by_its_root_mean_square(dtype, per_channel):
    program = small_program(dtype, per_channel)
    for index in (0, 2, 4, 6):
        tensor = program.tensors[index]
        grid = np.array(quantum(program, index, "relative"))
        scale = np.array(tensor.scale)[channels(tensor) if len(tensor.scale) > 1 else [0] * tensor.elements]
        size = np.sqrt(np.mean((unpack(tensor, program.weights) * scale) ** 2))
        np.testing.assert_allclose(grid, np.array(tensor.scale) / size, rtol=1e-12)


def test_a_probe_moves_a_weight_by_a_share_of_its_size():
    program = small_program()
    moves = quanta(program, plan_training(program, range(8), RELATIVE))
    size = np.sqrt(np.mean(unpack(program.tensors[0], program.weights) ** 2.0))
    probe, step = moves["stem.weight"]
    assert probe == pytest.approx(RELATIVE.epsilon * size, rel=1e-4)
    assert step == pytest.approx(RELATIVE.lr / RELATIVE.directions * size, rel=1e-4)


def scaled(program, factor):
    """The same integers with every scale of a parameter times a factor."""
    parameters = [replace(t, scale=tuple(s * factor for s in t.scale)) for t in program.parameters]
    return replace(program, tensors=(*parameters, *program.tensors[program.parameter_count :]))


@pytest.mark.parametrize("factor", [1 / 255, 3.0, 1e4])
def test_no_scale_of_a_weight_enters(factor):
    program = small_program(per_channel=True)
    weights = [0, 2, 4, 6]
    given, other = (plan_training(p, weights, RELATIVE) for p in (program, scaled(program, factor)))
    for one, two in zip(given.trainable, other.trainable, strict=True):
        np.testing.assert_allclose(
            one.perturb_mult, two.perturb_mult, atol=1
        )  # a last bit of the float scales
        assert one.perturb_shift == two.perturb_shift


def test_a_tensor_of_zeros_moves_by_shares_of_a_quantum():
    program = small_program()
    nothing = {0: np.zeros(program.tensors[0].shape, np.int64)}
    assert quantum(replace(program, weights=pack_all(program, nothing)), 0, "relative") == (1.0,)


def test_a_bias_is_measured_by_the_range_of_what_it_is_added_to():
    program = small_program(per_channel=True)
    # the stem's output is unsigned: 0 .. 255 quanta of 0.03; the head's symmetric: 0.001 * 32768
    for index, reach in ((1, 255 * 0.03), (7, 32768 * 0.001)):
        scale = program.tensors[index].scale
        assert quantum(program, index, "relative") == pytest.approx([s * 32 / reach for s in scale])
    unread = replace(program, ops=program.ops[1:])
    with pytest.raises(StepforwardError, match=r"no operator reads stem\.bias"):
        quantum(unread, 1, "relative")


@pytest.mark.parametrize(("weight", "bias"), [(0, 1), (4, 5), (6, 7)])
def test_a_bias_moves_a_sum_a_fraction_as_far_as_its_weights(weight, bias):
    """On normal inputs that fill their range."""
    program = small_program()
    values = unpack_all(program)
    plan = plan_training(program, [weight, bias], RELATIVE)
    op = next(op for op in program.ops if op.weight == weight)
    shape = program.tensors[op.inputs[0]].shape
    x = np.clip(np.random.default_rng(0).normal(0, 40, (64, *shape)), -127, 127).astype(np.int64)
    plain = replace(op.what, rescale=((1, 0),), lo=-(2**40), hi=2**40)
    out = replace(program.tensors[op.output], zero_point=0)
    formats = [replace(program.tensors[op.inputs[0]], zero_point=0)]

    def moved(index):
        z = np.random.default_rng(1).normal(0, 1, values[index].shape)
        probe = quanta(program, plan)[program.tensors[index].name][0]
        changed = values | {index: values[index] + np.round(probe * z).astype(np.int64)}
        run = [plain.run([x], formats, out, [v[weight], v[bias]]) for v in (values, changed)]
        return np.sqrt(np.mean((run[1] - run[0]).astype(float) ** 2))

    assert 1 / 12 < moved(bias) / moved(weight) < 3 / 4


def test_an_absolute_plan_is_what_it_was():
    program = small_program("s8", per_channel=True)
    assert to_bytes(plan_training(program, range(8), plain(steps=9))) == to_bytes(
        plan_training(program, range(8), plain(steps=9, sizes="absolute", epsilon=3e-3, lr=2e-3))
    )


def test_the_core_takes_a_relative_plan():
    program = small_program()
    engine = CoreEngine(program, plan_training(program, range(8), RELATIVE), threads=1)
    batch = Batch.of(np.zeros((3, *program.tensors[program.input].shape), np.int8), np.zeros(3, np.int32))
    up, down = engine.losses(0, batch, [Trial((Move(0, side),)) for side in (1, -1)])
    assert up != down


@pytest.mark.parametrize("dtype", ["s8", "s4"])
def test_a_kernel_is_measured_by_itself(dtype):
    program = small_program(dtype, per_channel=True)
    for index in (0, 2, 4, 6):
        tensor = program.tensors[index]
        of, q = channels(tensor), unpack(tensor, program.weights)
        sizes = [np.sqrt(np.mean(q[of == c] ** 2)) for c in range(len(tensor.scale))]
        assert quantum(program, index, "kernel") == pytest.approx([1 / max(size, 1) for size in sizes])
    assert quantum(program, 1, "kernel") == quantum(program, 1, "relative")


def test_kernels_that_share_a_scale_cannot_be_told_apart():
    program = small_program("s16")
    with pytest.raises(StepforwardError, match=r"stem\.weight has one scale") as refused:
        plan_training(program, range(8), replace(RELATIVE, sizes="kernel"))
    assert "--sizes relative" in refused.value.remedy


@pytest.mark.parametrize("changes", [{}, {"votes": "graded", "momentum": 0.9}], ids=str)
def test_kernels_train_to_the_same_bits_on_every_engine(changes):
    program = small_program("s8", per_channel=True)
    settings = plain(steps=9, sizes="kernel", epsilon=0.1, lr=0.1, directions=2, **changes)
    program, plan = for_training(program, range(8), settings)
    batch = Batch.of(*samples(program, 8))
    core, reference, device = (
        CoreEngine(program, plan),
        ReferenceEngine(program, plan),
        DeviceLoop(program, plan),
    )
    for engine in (core, reference):
        list(qzo_ff(engine, lambda step: batch, range(5), 2, True))
    for _ in range(5):
        device.step(batch)
    assert core.snapshot() == reference.snapshot() == device.snapshot()
    assert core.snapshot().weights != program.weights
