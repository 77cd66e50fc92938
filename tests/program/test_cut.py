"""A program in two gives what it gives in one."""

import numpy as np
import pytest
from random_networks import random_case
from small import samples, small_program

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.program.cut import after, before, joint
from stepforward.program.run import logits
from stepforward.program.weights import unpack_all


def test_two_halves_are_the_whole():
    cuts = 0
    for number in range(0, 300, 5):
        case = random_case(number)
        program, x = case.program, case.x
        whole = logits(program, unpack_all(program), x)
        for position in range(len(program.ops)):
            if joint(program, position) is None:
                continue
            first = CoreEngine(before(program, position), threads=1)
            rest = after(program, position)
            (between,) = first.outputs(Batch.of(x))
            shape = rest.tensors[rest.input].shape
            found = CoreEngine(rest, threads=1).outputs(Batch.of(between.astype(np.int8).reshape(-1, *shape)))
            assert (found[0] == whole).all(), (number, position)
            cuts += 1
    assert cuts > 100


def test_where_two_activations_cross_there_is_no_joint():
    program = small_program()
    for position, op in enumerate(program.ops):
        crossing = {i for later in program.ops[position:] for i in later.inputs}
        crossing -= {later.output for later in program.ops[position:]}
        assert (joint(program, position) is None) == (len(crossing) != 1 or position == 0), op.name
    assert joint(program, 0) is None
    with pytest.raises(ValueError, match="do not end in one activation"):
        before(program, 0)
    assert len(samples(program, 2)[0]) == 2
