"""Products of two bytes: all of them, where sums fit 16 bits, 32 bits, or neither."""

import numpy as np
import pytest

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.operators.lookup import Lookup
from stepforward.operators.multiply import Multiply
from stepforward.operators.transpose import Transpose
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

GRID = np.repeat(np.arange(-128, 128, dtype=np.int8), 256).reshape(1, 256, 256)
ZEROS = [(0, 0, 0), (-53, 53, 0), (-54, 53, 0), (3, 0, 7), (-128, -128, -128), (127, -128, 0)]
PAIRS = [
    (32768, 15),
    (1, 0),
    (16384, 14),
    (32768, 16),
    (65535, 16),
    (65535, 17),
    (40000, 0),
    (3, 30),
    (65535, 31),
]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("dtype", ["s8", "s16"])
def test_all_products_of_two_bytes(dtype, zeros, pair):
    of_a, of_b, of_y = zeros
    shape, (lo, hi) = GRID.shape[1:], (-127, 125) if dtype == "s8" else (-32767, 32765)
    tensors = (
        Tensor("a", shape, "s8", (1.0,), of_a, -1),
        Tensor("turned", shape, "s8", (1.0,), of_a),
        Tensor("b", shape, "s8", (1.0,), of_b),
        Tensor("y", shape, dtype, (1.0,), of_y),
    )
    ops = (
        Op("turn", Transpose(permutation=(1, 0)), (0,), 1),
        Op("same", Lookup(tables=tuple(range(-128, 128))), (1,), 2),
        Op("product", Multiply(rescale=(pair,), lo=lo, hi=hi), (0, 2), 3),
    )
    program = plan_arena(Program(tensors, ops, 0, 3, 0, b""))
    found = logits_of(CoreEngine(program, threads=1), GRID)
    assert np.array_equal(found, logits_of(ReferenceEngine(program), GRID))
