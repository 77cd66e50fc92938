from dataclasses import replace

import numpy as np
import pytest
import small
from plain import plain

from stepforward.arithmetic.rounding import TWICE
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import for_training
from stepforward.program.master import no_room, rounded, with_master_weights
from stepforward.program.weights import pack_all, unpack_all
from stepforward.settings import Settings


@pytest.mark.parametrize(("dtype", "bits"), [("s8", 8), ("s4", 12)])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("moving", [range(8), [6, 7], [2]])
def test_master_weights_give_the_same_outputs_and_round_to_what_they_came_from(
    dtype, bits, per_channel, moving
):
    program = small.small_program(dtype, per_channel)
    master = with_master_weights(program, moving)
    for index, (tensor, finer) in enumerate(zip(program.parameters, master.parameters, strict=True)):
        moves = any(index in op.parameters and op.weight in moving for op in program.ops)
        assert (finer.dtype == "s16") == (moves and tensor.dtype == dtype)
        assert tensor.scale[0] / finer.scale[0] == (2**bits if moves else 1)
    x, _ = small.samples(program, 5)
    for engine in (CoreEngine, ReferenceEngine):
        assert np.array_equal(logits_of(engine(master), x), logits_of(engine(program), x))
    assert rounded(program, master, master.weights) == program
    assert rounded(program, program, program.weights) == program


def test_master_weights_round_halves_up_and_stay_in_range():
    program = small.small_program("s8")
    master = with_master_weights(program, range(8))
    values = unpack_all(master)
    values[0].reshape(-1)[:5] = [32767, -32767, 127, 128, -128]
    back = unpack_all(rounded(program, master, pack_all(master, values)))
    assert back[0].reshape(-1)[:5].tolist() == [127, -127, 0, 1, 0]


def test_a_large_bias_leaves_fewer_bits():
    program = small.small_program("s8")
    values = unpack_all(program)
    values[1].reshape(-1)[0] = -(2**25)
    program = replace(program, weights=pack_all(program, values))
    master = with_master_weights(program, range(8))
    assert program.tensors[0].scale[0] / master.tensors[0].scale[0] == 2**5
    assert rounded(program, master, master.weights) == program
    x, _ = small.samples(program, 3)
    assert np.array_equal(logits_of(CoreEngine(master), x), logits_of(CoreEngine(program), x))


def test_they_learn_as_weights_of_16_bits_do():
    program, settings = small.small_program("s8"), plain(steps=10, lr=0.02, seed=3, low_bits="master")
    trained, plan = for_training(program, range(8), settings)
    assert not any(entry.fraction_bits for entry in plan.trainable) and plan.state_bytes == 0
    x, y = small.samples(program, 6)
    engine = CoreEngine(trained, plan)
    list(qzo_ff(engine, lambda step: Batch.of(x, y), range(10), 4, True))
    assert rounded(program, trained, engine.snapshot().weights).weights != program.weights


def test_they_are_refused_where_no_low_bit_weight_moves():
    with pytest.raises(StepforwardError, match="no weight that moves has 8 or 4 bits"):
        for_training(small.small_program("s8"), [1, 3], Settings(steps=1, low_bits="master"))


@pytest.mark.parametrize(("dtype", "bits"), [("s8", 8), ("s4", 12)])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("room", [1, 2, 3])
def test_weights_of_the_last_layer_with_room_give_the_same_until_they_move(dtype, bits, per_channel, room):
    program = small.small_program(dtype, per_channel)
    master = with_master_weights(program, range(8), room)
    for index, (tensor, finer) in enumerate(zip(program.parameters, master.parameters, strict=True)):
        last = index in program.ops[-1].parameters
        assert tensor.scale[0] / finer.scale[0] == 2 ** (bits - room if last else bits)
    x, _ = small.samples(program, 5)
    for engine in (CoreEngine, ReferenceEngine):
        assert np.array_equal(logits_of(engine(master), x), logits_of(engine(program), x))
    assert rounded(program, master, master.weights, room) == program


@pytest.mark.parametrize(("dtype", "q_max"), [("s8", 127), ("s4", 7)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_scales_of_the_last_layer_grow_with_its_weights(dtype, q_max, per_channel):
    program = small.small_program(dtype, per_channel)
    op, master = program.ops[-1], with_master_weights(program, range(8), room=2)
    values, finer = unpack_all(master), int(program.tensors[6].scale[0] / master.tensors[6].scale[0])
    values[op.weight][0] *= 2
    values[op.weight][1] *= 4
    values[op.weight] = np.clip(values[op.weight], -32767, 32767)
    grown = rounded(program, master, pack_all(master, values), room=2)
    factors = [new / old for new, old in zip(grown.tensors[6].scale, program.tensors[6].scale, strict=True)]
    assert factors == ([2, 4, 1, 1] if per_channel else [4])
    assert [
        new / old for new, old in zip(grown.tensors[7].scale, program.tensors[7].scale, strict=True)
    ] == factors
    assert grown.tensors[:6] == program.tensors[:6] and grown.ops[:-1] == program.ops[:-1]
    assert all(
        (mult, shift + np.log2(factor)) == old
        for (mult, shift), old, factor in zip(
            grown.ops[-1].what.rescale, op.what.rescale, factors, strict=True
        )
    )
    real = values[op.weight] / finer  # in quanta of the base
    there = unpack_all(grown)[op.weight] * np.resize(np.array(factors), (small.CLASSES, 1))
    assert np.abs(there - real).max() <= max(factors) and np.abs(unpack_all(grown)[op.weight]).max() <= q_max


def test_only_a_linear_last_layer_of_low_bits_that_moves_has_room():
    program = small.small_program("s8")
    assert no_room(program, range(8)) is None
    assert "do not move" in no_room(program, [0, 7])
    assert "16 bits" in no_room(small.small_program(), range(8))
    assert "no linear layer" in no_room(
        replace(program, ops=program.ops[:-1], output=program.ops[-2].output), range(6)
    )
    op = program.ops[-1]
    other = replace(op, what=replace(op.what, rounding=TWICE, rescale=((1 << 30, 40),)))
    assert "scales stay" in no_room(replace(program, ops=(*program.ops[:-1], other)), range(8))


def test_room_is_refused_where_there_is_none():
    with pytest.raises(StepforwardError, match=r"master-2.*do not move.*--low-bits auto"):
        for_training(small.small_program("s8"), [0, 1], Settings(steps=1, low_bits="master-2"))
