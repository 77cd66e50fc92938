"""Weights give up bits only where the kernels use it: Python's rule is the core's, over a grid of shapes."""

from itertools import product

import numpy as np
import pytest
from onnx_graphs import parse, ramp

from stepforward.core.bindings import library
from stepforward.quantization.winograd import suits_winograd
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.write import quantize

PAIRS = [(1, 1), (3, 3), (3, 1), (1, 3), (2, 2), (5, 5)]
CHANNELS = [1, 2, 7, 8, 9, 10, 16, 4094, 4095, 4096, 4097, 4098]
ROWS = [1, 8, 9, 16, 17, 500]
OUT = [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (1, 40), (3, 4), (4, 4), (5, 5), (9, 7), (112, 112)]


def test_the_rule_is_that_of_the_core():
    core, seen = library().sf_winograd_suits, set()
    for kernel, stride, dilation in product(PAIRS, [(1, 1), (2, 1), (1, 2)], [(1, 1), (2, 1), (1, 2)]):
        for channels, rows, out in product(CHANNELS, ROWS, OUT):
            if (kernel, stride, dilation) != ((3, 3), (1, 1), (1, 1)) and (channels, rows) != (16, 16):
                continue
            ours = suits_winograd(kernel, stride, dilation, channels, rows, out)
            assert ours == bool(core(*kernel, *stride, *dilation, channels, rows, *out))
            seen.add(ours)
    assert seen == {False, True}


@pytest.mark.parametrize(
    "outputs, group, size, room",
    [(16, 1, 8, True), (8, 1, 8, False), (16, 2, 8, False), (16, 1, 1, False), (16, 1, 3, False)],
)
def test_only_kernels_that_are_transformed_leave_room_for_it(outputs, group, size, room):
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(outputs, 16 // group, 3, 3)).astype(np.float32)
    model = parse(
        f"""a = Conv<pads=[1,1,1,1], group={group}>(x, w, b)
        f = Flatten(a)
        y = Gemm<transB=1>(f, h, c)""",
        f"N,16,{size},{size}",
        w=weight,
        b=ramp(outputs),
        h=ramp(3, outputs * size * size),
        c=ramp(3),
    )
    x = rng.normal(size=(4, 16, size, size)).astype(np.float32)
    q = quantize(canonicalize(model), x).graph.initializers["w"].const_value.numpy().astype(int)
    sums = np.abs(q).sum(axis=(2, 3)).max()
    assert (sums < 2**15) == room
    assert (np.abs(q).max() == 32767) != room
