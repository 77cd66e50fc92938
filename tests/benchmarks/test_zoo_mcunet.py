"""The plain evaluation of MCUNet's layers, and the files that are written of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from int8_runtimes import layers
from zoo import mcunet

from stepforward.arithmetic.rounding import TWICE, q31_multiplier, rescale
from stepforward.sources.tflite.file import parse

pytest.importorskip("tflite", reason="needs stepforward[tflite]")


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.floats(1e-7, 0.9))
def test_two_roundings_are_those_of_the_contract(q, ratio):
    ours = rescale([q], *q31_multiplier(ratio), TWICE)
    assert mcunet._scaled(np.array([q]), *mcunet._pair(ratio)) == ours


def test_a_file_computes_what_the_plain_evaluation_does(monkeypatch):
    """A block with a sum, windows of 5 with a step of 2, a bias of 2^31 - 1 that nothing can turn on."""
    rng = np.random.default_rng(0)
    steps = [mcunet.Steps(float(np.float32(s)), z) for s, z in ((1 / 127.5, 0), (0.02, -128), (0.05, -4))]

    def layer(name, x, y, shape, **of):
        weight = rng.integers(-127, 128, shape, dtype=np.int8)
        bias = rng.integers(-9000, 9000, len(weight), dtype=np.int32)
        scales = np.float32(rng.uniform(0.001, 0.01, len(weight)))
        return mcunet.Layer(
            name, (x[0],), (steps[x[1]],), steps[y], weight=weight, bias=bias, scales=scales, **of
        )

    found = [
        layer("first", ("image", 0), 1, (8, 3, 3, 3), stride=2),
        layer("a", ("first", 1), 2, (8, 1, 3, 3), depthwise=True),
        layer("b", ("a", 2), 1, (8, 8, 1, 1)),
        mcunet.Layer("sum", ("first", "b"), (steps[1], steps[1]), steps[2]),
        layer("c", ("sum", 2), 2, (8, 1, 5, 5), depthwise=True, stride=2),
        layer("logits", ("mean", 2), 2, (5, 8, 1, 1)),
    ]
    found[0].bias[3], found[0].scales[3], found[0].weight[3] = -(2**31), 1e-9, 3
    monkeypatch.setattr(mcunet, "layers", lambda name: found)
    monkeypatch.setattr(mcunet, "SIDE", 16)
    x = rng.integers(-128, 128, (4, 16, 16, 3), dtype=np.int8)
    plain, ours = mcunet.evaluated("", x), layers(parse(mcunet.tflite(""), "m"), "tflm", x)
    assert len(plain) == 7
    for name, q in plain.items():
        assert np.ptp(q) > 4 and np.array_equal(q, ours[name].reshape(q.shape)), name
