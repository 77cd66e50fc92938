"""Training on a device against the reference: rows of weights that are longer than what a device stages at once."""

import math

import pytest
import small
from plain import plain
from random_programs import pack

from stepforward.engines.core import device_inference_bytes, device_scratch_bytes
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.operators.average_pool import AveragePool
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.rescale import Rescale
from stepforward.operators.table import BY_KIND
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

STEPS = 6


def train(program, chosen, settings, n=3):
    """(votes, weights, logits) of a device and of the reference."""
    plan = plan_training(program, chosen, settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, n)
    y %= program.tensors[program.output].elements
    device, reference = DeviceLoop(program, plan), ReferenceEngine(program, plan)
    steps = qzo_ff(reference, lambda step: Batch.of(x, y), range(STEPS), plan.directions, plan.share_batch)
    votes = [(device.step(Batch.of(x, y)), step.votes) for step in steps]
    pairs = [*votes, (device.snapshot().weights, reference.snapshot().weights)]
    return pairs, logits_of(device, x), logits_of(reference, x), program


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("trained", ["all", "weights", "biases", "head"])
@pytest.mark.parametrize("distribution", ["normal", "rademacher"])
def test_long_rows_train_to_the_same_weights(dtype, per_channel, trained, distribution):
    program = small.long_rows_program(dtype, per_channel)
    every = range(program.parameter_count)
    chosen = {"all": every, "weights": every[::2], "biases": every[1::2], "head": every[-2:]}[trained]
    settings = plain(
        steps=STEPS,
        epsilon=0.05,
        lr=0.1,
        directions=2,
        seed=5,
        momentum=0.5,
        distribution=distribution,
        share_batch=True,
    )
    pairs, logits, expected, _ = train(program, chosen, settings)
    assert [mine for mine, _ in pairs] == [theirs for _, theirs in pairs]
    assert (logits == expected).all() and len(set(map(tuple, expected.tolist()))) > 1


def layer(kind, dtype, in_shape, out_shape, w_shape, **fields) -> Program:
    """One operator with the largest weights there are in every second place."""
    w = Tensor("w", w_shape, dtype, (1e-4,), 0, 0)
    q = small.np.random.default_rng(2).integers(-w.q_max, w.q_max + 1, w_shape)
    q.reshape(-1)[::2] = w.q_max
    blob = pack(w, q)
    blob += bytes(-len(blob) % 4)
    b = Tensor("b", (out_shape[-1],), "s32", (2e-6,), 0, len(blob))
    activations = Tensor("x", in_shape, "s8", (0.02,), 127, -1), Tensor("y", out_shape, "s16", (0.02,), -7)
    shift = 16 + round(math.log2(w.q_max * 200 * math.prod(w_shape) / out_shape[-1] / 20000))
    what = BY_KIND[kind](rescale=((40000, shift),), lo=-32768, hi=32767, **fields)
    op = Op("op", what, (2,), 3, 0, 1)
    blob += bytes(4 * out_shape[-1])
    return Program((w, b, *activations), (op,), 2, 3, 2, blob)


def dense(length, rows, dtype):
    return layer("fully_connected", dtype, (length,), (rows,), (rows, length))


LAYERS = {
    **{f"dense {n} to {m}": (dense, n, m) for n, m in ((65, 3), (66, 4), (192, 6), (1568, 64), (777, 9))},
    "whole image": (layer, "conv", (7, 7, 32), (1, 1, 6), (6, 7, 7, 32), {"kernel": (7, 7)}),
    "tall kernel": (layer, "conv", (40, 2, 3), (3, 1, 5), (5, 38, 2, 3), {"kernel": (38, 2)}),
    "wide kernel": (layer, "conv", (1, 50, 9), (1, 2, 4), (4, 1, 49, 9), {"kernel": (1, 49)}),
    "wide kernel of one channel": (
        layer,
        "conv",
        (1, 301, 1),
        (1, 3, 4),
        (4, 1, 299, 1),
        {"kernel": (1, 299)},
    ),
    "dilated": (
        *(layer, "conv", (6, 6, 33), (2, 2, 7), (7, 3, 3, 33)),
        {"kernel": (3, 3), "dilation": (2, 2), "stride": (2, 2), "padding": (1, 1, 0, 0)},
    ),
    "beyond the image": (
        *(layer, "conv", (2, 2, 40), (5, 5, 4), (4, 4, 4, 40)),
        {"kernel": (4, 4), "padding": (3, 3, 3, 3)},
    ),
    "pointwise": (layer, "conv", (2, 2, 512), (2, 2, 10), (10, 1, 1, 512), {}),
    "large depthwise": (
        *(layer, "depthwise", (9, 9, 20), (1, 1, 20), (9, 9, 20)),
        {"kernel": (9, 9)},
    ),
}


def build(name, dtype):
    make, *arguments = LAYERS[name]
    if make is dense:
        return dense(*arguments, dtype)
    kind, *shapes, fields = arguments
    return layer(kind, dtype, *shapes, **fields)


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_long_row_is_staged_in_pieces_with_the_same_sums(name, dtype):
    for chosen in ((0, 1), (1,)):
        settings = plain(steps=STEPS, epsilon=1e-2, lr=1e-2, directions=1, seed=9)
        pairs, logits, expected, program = train(build(name, dtype), chosen, settings)
        assert [mine for mine, _ in pairs] == [theirs for _, theirs in pairs]
        assert (logits == expected).all() and len(set(map(tuple, expected.tolist()))) > 1
        assert device_inference_bytes(program) <= device_scratch_bytes(program)


def test_the_staged_rows_stay_small_however_long_they_are():
    sizes = [device_scratch_bytes(plan_arena(dense(n, 64, "s16"))) for n in (64, 1568, 100_000)]
    assert len(set(sizes)) == 1 and sizes[0] < 1000


def test_early_activations_make_room_for_the_rows_of_late_layers():
    """What a device stages lies where nothing is alive any more: the largest activations alone decide."""
    w = Tensor("w", (64, 8), "s16", (1e-4,), 0, 0)
    b = Tensor("b", (64,), "s32", (2e-6,), 0, w.bytes)
    shapes = {"x": (32, 32, 8), "wide": (32, 32, 8), "narrow": (4, 4, 8), "mean": (1, 1, 8)}
    images = [Tensor(n, shape, "s8", (0.02,), 0, -1 if n == "x" else 0) for n, shape in shapes.items()]
    y = Tensor("y", (64,), "s16", (0.02,))
    ops = (
        Op("first", Rescale(rescale=((32768, 15),)), (2,), 3),
        Op(
            "pool",
            AveragePool(rescale=((32768, 21),), kernel=(8, 8), stride=(8, 8), count_padding=True),
            (3,),
            4,
        ),
        Op("mean", AveragePool(rescale=((32768, 19),), kernel=(4, 4), count_padding=True), (4,), 5),
        Op("late", FullyConnected(rescale=((40000, 30),), lo=-32768, hi=32767), (5,), 6, 0, 1),
    )
    program = Program((w, b, *images, y), ops, 2, 6, 2, bytes(w.bytes + b.bytes))
    planned = plan_arena(program)
    assert device_scratch_bytes(planned) == planned.arena_bytes
