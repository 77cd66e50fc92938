"""Which layer before the last an exact gradient can move."""

from dataclasses import replace

import pytest
import small

from stepforward.lowering.lower import lower
from stepforward.program.penultimate import Penultimate, penultimate


@pytest.mark.parametrize(
    "program, expected",
    [
        (small.wide_program("s16", rows=16), Penultimate(op=1, positions=63, channels=16)),  # averaged
        (small.long_rows_program(), Penultimate(op=5, positions=1, channels=40)),  # fully connected
        (small.small_program(), None),  # positions are flattened
        (lower(small.shared_network()), None),  # two layers share the weights
        (small.padded_program(), None),  # no last layer
    ],
    ids=["averaged", "connected", "flattened", "shared", "none"],
)
def test_a_layer_whose_outputs_are_the_inputs_of_the_last(program, expected):
    assert penultimate(program) == expected


@pytest.mark.parametrize("change", [{"kernel": (8, 7)}, {"padding": (1, 0, 0, 0)}, {"dilation": (2, 1)}])
def test_an_average_that_does_not_see_every_position_once(change):
    program = small.wide_program("s16", rows=16)
    pool = next(i for i, op in enumerate(program.ops) if op.kind == "average_pool")
    other = replace(program.ops[pool], what=replace(program.ops[pool].what, **change))
    ops = (*program.ops[:pool], other, *program.ops[pool + 1 :])
    assert penultimate(replace(program, ops=ops)) is None
