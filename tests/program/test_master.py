from dataclasses import replace

import numpy as np
import pytest
import small
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import for_training
from stepforward.program.master import rounded, with_master_weights
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
    assert rounded(program, master, master.weights) == program.weights
    assert rounded(program, program, program.weights) == program.weights


def test_master_weights_round_halves_up_and_stay_in_range():
    program = small.small_program("s8")
    master = with_master_weights(program, range(8))
    values = unpack_all(master)
    values[0].reshape(-1)[:5] = [32767, -32767, 127, 128, -128]
    back = unpack_all(program, rounded(program, master, pack_all(master, values)))
    assert back[0].reshape(-1)[:5].tolist() == [127, -127, 0, 1, 0]


def test_a_large_bias_leaves_fewer_bits():
    program = small.small_program("s8")
    values = unpack_all(program)
    values[1].reshape(-1)[0] = -(2**25)
    program = replace(program, weights=pack_all(program, values))
    master = with_master_weights(program, range(8))
    assert program.tensors[0].scale[0] / master.tensors[0].scale[0] == 2**5
    assert rounded(program, master, master.weights) == program.weights
    x, _ = small.samples(program, 3)
    assert np.array_equal(logits_of(CoreEngine(master), x), logits_of(CoreEngine(program), x))


def test_they_learn_as_weights_of_16_bits_do():
    program, settings = small.small_program("s8"), plain(steps=10, lr=0.02, seed=3, low_bits="master")
    trained, plan = for_training(program, range(8), settings)
    assert not any(entry.fraction_bits for entry in plan.trainable) and plan.state_bytes == 0
    x, y = small.samples(program, 6)
    engine = CoreEngine(trained, plan)
    list(qzo_ff(engine, lambda step: Batch.of(x, y), range(10), 4, True))
    assert rounded(program, trained, engine.snapshot().weights) != program.weights


def test_they_are_refused_where_no_low_bit_weight_moves():
    with pytest.raises(StepforwardError, match="no weight that moves has 8 or 4 bits"):
        for_training(small.small_program("s8"), [1, 3], Settings(steps=1, low_bits="master"))
