"""Rescaling and Normalization of Keras, before the Transpose to (N, C, H, W), become numbers per channel after it."""

import numpy as np
import pytest
from onnx_graphs import canonical_like, parameters, parse, ramp

from stepforward.graph.channels import channel_axis

BODY = (
    "c = Conv(t, c.weight, c.bias)\np = GlobalAveragePool(c)\nf = Flatten(p)\ny = Gemm<transB=1>(f, w.weight)"
)
KINDS = "Conv Conv GlobalAveragePool Flatten Gemm"  # as without the Transpose: one number per channel, then the layer
MEAN, STD = np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.3, 0.25], np.float32)


@pytest.mark.parametrize(
    ("front", "constants"),
    [
        ("m = Mul(x, s)\na = Add(m, o)", {"s": np.float32(2 / 255), "o": np.float32(-1)}),
        ("m = Sub(x, s)\na = Div(m, o)", {"s": MEAN, "o": STD}),
        ("m = Sub(s, x)\na = Mul(o, m)", {"s": MEAN.reshape(1, 1, 1, 3), "o": STD}),
    ],
)
def test_constants_before_the_transpose_fold(front, constants):
    weights = {"c__weight": ramp(4, 3, 3, 3), "c__bias": ramp(4), "w__weight": ramp(3, 4)}
    straight = {
        name: array.reshape(-1, 1, 1) if array.size > 1 else array for name, array in constants.items()
    }
    first = canonical_like(
        parse(f"{front}\n{BODY}".replace("(t,", "(a,"), "N,3,6,5", **weights, **straight), KINDS
    )
    model = parse(f"{front}\nt = Transpose<perm=[0, 3, 1, 2]>(a)\n{BODY}", "N,6,5,3", **weights, **constants)
    last = canonical_like(model, f"Transpose {KINDS}")
    assert channel_axis(last.graph) == 3
    ours, theirs = parameters(last), parameters(first)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
