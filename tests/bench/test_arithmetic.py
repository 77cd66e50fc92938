"""What is left for the multiplier, counted by hand."""

from dataclasses import replace

import pytest

from stepforward.bench.arithmetic import multiplications
from stepforward.bench.kernel import SIDE, convolution
from stepforward.memory import multiply_accumulates


def test_a_tile_of_four_outputs_takes_sixteen_products_instead_of_thirty_six():
    program = convolution(channels=16, rows=48)
    assert multiply_accumulates(program, program.ops[0]) == SIDE * SIDE * 9 * 16 * 48
    assert multiplications(program, program.ops[0]) == (SIDE // 2) ** 2 * 16 * 16 * 48


@pytest.mark.parametrize("channels, rows", [(3, 48), (6, 48), (9, 48), (16, 8)])
def test_few_channels_or_rows_are_not_worth_the_transforms(channels, rows):
    program = convolution(channels, rows)
    assert multiplications(program, program.ops[0]) == multiply_accumulates(program, program.ops[0])


@pytest.mark.parametrize("change", [{"stride": (2, 2)}, {"dilation": (1, 2)}, {"groups": 2}])
def test_other_geometries_have_no_tiles(change):
    program = convolution(channels=16, rows=48)
    op = program.ops[0]
    op = replace(op, what=replace(op.what, **change))
    assert multiplications(program, op) == multiply_accumulates(program, op)
