"""Wherever an exporter puts the batch, samples come out as they went in, and in front."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

HEADS_IN_THE_BATCH = """t = Reshape(x, tokens)
a = Transpose<perm=[1,0,2]>(t)
l = MatMul(a, w)
b = Add(l, c)
r = Reshape(b, three)
u = Unsqueeze(r, zeroth)
p = Transpose<perm=[3,1,2,0,4]>(u)
s = Squeeze(p, third)
q0 = Gather<axis=0>(s, zero)
k0 = Gather<axis=0>(s, one)
v0 = Gather<axis=0>(s, two)
q1 = Reshape(q0, joined)
k1 = Reshape(k0, joined)
v1 = Reshape(v0, joined)
q = Transpose<perm=[1,0,2]>(q1)
k = Transpose<perm=[1,2,0]>(k1)
v = Transpose<perm=[1,0,2]>(v1)
scores = MatMul(q, k)
shares = Softmax<axis=-1>(scores)
o = MatMul(shares, v)
back = Transpose<perm=[1,0,2]>(o)
long = Reshape(back, rows)
g = Gemm<transB=1>(long, m, e)
h = Reshape(g, together)
z = Transpose<perm=[1,0,2]>(h)
f = Flatten(z)
y = Gemm<transB=1>(f, y.weight, y.bias)"""
"""torch.nn.MultiheadAttention of six tokens of eight numbers and two heads."""

WINDOWS = """t = Transpose<perm=[0,2,3,1]>(x)
r = Reshape(t, cut)
p = Transpose<perm=[0,1,3,2,4,5]>(r)
w = Reshape(p, windows)
n = Transpose<perm=[0,2,1]>(w)
s = MatMul(w, n)
a = Softmax<axis=-1>(s)
o = MatMul(a, w)
c = Reshape(o, parts)
b = Transpose<perm=[0,1,3,2,4,5]>(c)
i = Reshape(b, whole)
f = Flatten(i)
y = Gemm<transB=1>(f, y.weight, y.bias)"""
"""Attention inside windows of 2 x 2 of an image of 4 x 4."""


def attention(batch):
    """The graph and its constants with a batch of some size, or -1."""
    heads = -1 if batch < 0 else 2 * batch
    numbers = {
        "tokens": [0, 6, 8],
        "three": [6, batch, 3, 8],
        "zeroth": [0],
        "third": [3],
        "zero": 0,
        "one": 1,
        "two": 2,
        "joined": [6, heads, 4],
        "rows": [-1, 8],
        "together": [6, batch, 8],
    }
    return {
        **{name: np.array(value, np.int64) for name, value in numbers.items()},
        "w": ramp(8, 24, scale=0.5),
        "c": ramp(24),
        "m": ramp(8, 8),
        "e": ramp(8),
        "y__weight": ramp(3, 48),
        "y__bias": ramp(3),
    }


def windows(batch):
    """The graph's constants."""
    several = -1 if batch < 0 else 4 * batch
    numbers = {"cut": [0, 2, 2, 2, 2, 3], "windows": [several, 4, 3], "parts": [batch, 2, 2, 2, 2, 3]}
    numbers["whole"] = [0, 4, 4, 3]
    return {
        **{name: np.array(value, np.int64) for name, value in numbers.items()},
        "y__weight": ramp(3, 48),
        "y__bias": ramp(3),
    }


@pytest.mark.parametrize("batch", [-1, 1], ids=["any batch", "batch of one"])
@pytest.mark.parametrize(
    ("body", "constants", "shape"),
    [(HEADS_IN_THE_BATCH, attention, "2,4,6"), (WINDOWS, windows, "3,4,4")],
    ids=["heads", "windows"],
)
def test_a_batch_that_is_moved_and_joined_comes_back(body, constants, shape, batch):
    model = parse(body, f"{'N' if batch < 0 else batch},{shape}", **constants(batch))
    x = samples(parse("y = Flatten(x)", f"N,{shape}"), 12)
    rows = [x[at : at + 1] for at in range(12)] if batch > 0 else [x]
    expected = np.concatenate([run_ort(model, row) for row in rows])
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    kinds = [op.kind for op in lower(read_quantized(quantize(canonical, x))).ops]
    assert kinds.count("softmax") == 1


def test_parameters_keep_their_names():
    canonical = canonicalize(parse(HEADS_IN_THE_BATCH, "N,2,4,6", **attention(-1)))
    names = {
        value.name
        for node in canonical.graph
        if node.op_type in ("Conv", "Gemm")
        for value in node.inputs[1:]
    }
    assert {"m", "e", "y.weight", "y.bias"} < names


@pytest.mark.parametrize(
    "node",
    [
        "r = Softmax<axis=1>(t)",
        "r = CumSum(t, one)",
        "r = Concat<axis=1>(t, t)",
        "r = Gather<axis=1>(t, first)",
        "r = Add(t, each)",
        "r = ReduceMean(t, first)",
    ],
)
def test_what_mixes_samples_is_refused_by_name(node):
    start = "s = Reshape(x, tokens)\nt = Transpose<perm=[1,0,2]>(s)"
    end = "f = Transpose<perm=[1,0,2]>(r)\ny = Flatten(f)"
    given = {
        "tokens": np.array([0, 6, 8]),
        "one": np.array(1),
        "first": np.array([1]),
        "each": ramp(6, 97, 8),
    }
    with pytest.raises(StepforwardError, match=r"mixes the samples of a batch|CumSum"):
        canonicalize(parse(f"{start}\n{node}\n{end}", "N,2,4,6", **given))
