"""Transformers as exporters write them: the same function, few operators, the same integers on every engine."""

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import canonical_like, parse, ramp, run_ort, samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.quantization.wide import wide_values
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

TOKENS = "t = Reshape(x, shape)"
HEAD = "f = Flatten(%s)\ny = Gemm<transB=1>(f, u, d)"
SIZES = {"shape": np.array([0, 6, 8]), "u": ramp(3, 48), "d": ramp(3)}
NORM = {"g": ramp(8) + 1, "h": ramp(8)}


def whole(body, opset=21, tolerance=0.05, **weights):
    """A network of six tokens of eight numbers, held to ONNX Runtime: its canonical graph, and its operators."""
    model = parse(f"{TOKENS}\n{body}", "N,2,4,6", opset=opset, **SIZES, **weights)
    x = samples(model, 24)
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    quantized = quantize(canonical, x)
    program = lower(read_quantized(quantized))
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    found = logits * program.tensors[program.output].scale[0]
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()
    np.testing.assert_allclose(
        run(to_float(quantized).graph, x), expected, atol=0.01 * np.abs(expected).max()
    )
    return canonical, Counter(op.kind for op in program.ops)


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("z = LayerNormalization<axis=-1, epsilon=1e-3>(t, g, h)", 17),
        (
            """m = ReduceMean<axes=[-1]>(t)
            c = Sub(t, m)
            s = Pow(c, two)
            v = ReduceMean<axes=[-1]>(s)
            e = Add(v, eps)
            r = Sqrt(e)
            n = Div(c, r)
            w = Mul(n, g)
            z = Add(w, h)""",
            14,
        ),
        (
            """m = ReduceMean<keepdims=1>(t, last)
            c = Sub(t, m)
            s = Mul(c, c)
            v = ReduceMean<keepdims=1>(s, last)
            e = Add(eps, v)
            r = Sqrt(e)
            n = Div(c, r)
            w = Mul(g, n)
            z = Add(h, w)""",
            18,
        ),
    ],
)
def test_a_layer_norm_is_one_operator_however_it_is_written(body, opset):
    numbers = {"two": np.array(2, np.float32), "eps": np.array(1e-3, np.float32), "last": np.array([2])}
    canonical, kinds = whole(f"{body}\n{HEAD % 'z'}", opset, **NORM, **numbers)
    assert kinds["layer_norm"] == 1
    (norm,) = [node for node in canonical.graph if node.op_type == "LayerNormalization"]
    assert [value.name for value in norm.inputs[1:]] == ["g", "h"]
    assert norm.attributes["epsilon"].value == pytest.approx(1e-3)


QKV = """l = MatMul(t, w)
b = Add(c, l)
r = Reshape(b, heads)
p = Transpose<perm=[2,0,3,1,4]>(r)
"""
ATTENTION = """a = Softmax<axis=-1>(%s)
o = MatMul(a, v)
i = Transpose<perm=[0,2,1,3]>(o)
j = Reshape(i, shape)
k = MatMul(j, m)
e = Add(t, k)
z = LayerNormalization<axis=-1>(e, g, h)
"""
PARTS = {
    "gathered": """q = Gather<axis=0>(p, zero)
    k0 = Gather<axis=0>(p, one)
    v = Gather<axis=0>(p, two)""",
    "split": """q0, k1, v0 = Split<axis=0>(p, ones)
    q = Squeeze(q0, first)
    k0 = Squeeze(k1, first)
    v = Squeeze(v0, first)""",
}
SCORES = {
    "eager": """q1 = Mul(q, half)
    k2 = Transpose<perm=[0,1,3,2]>(k0)
    s = MatMul(q1, k2)""",
    "after": """k2 = Transpose<perm=[0,1,3,2]>(k0)
    s1 = MatMul(q, k2)
    s = Div(s1, four)""",
    "sdpa": """k3 = Reshape(k0, folded)
    k4 = Transpose<perm=[0,2,1]>(k3)
    k5 = Reshape(k4, unfolded)
    q1 = Mul(q, half)
    k2 = Mul(k5, half)
    s = MatMul(q1, k2)""",
}
NUMBERS = {
    "zero": np.array(0),
    "one": np.array(1),
    "two": np.array(2),
    "ones": np.array([1, 1, 1]),
    "first": np.array([0]),
    "half": np.array(0.5, np.float32),
    "four": np.array([4], np.float32),
    "heads": np.array([0, 6, 3, 2, 4]),
    "folded": np.array([-1, 6, 4]),
    "unfolded": np.array([-1, 2, 4, 6]),
    "w": ramp(8, 24, scale=0.5),
    "c": ramp(24),
    "m": ramp(8, 8, scale=0.4),
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_attention_of_one_layer_for_q_k_and_v(parts, scores):
    body = f"{QKV}{parts}\n{scores}\n{ATTENTION % 's'}{HEAD % 'z'}"
    canonical, kinds = whole(body, **NORM, **NUMBERS)
    expected = {"conv": 4, "matmul": 2, "softmax": 1, "layer_norm": 1, "add": 1, "fully_connected": 1}
    assert {kind: count for kind, count in kinds.items() if kind not in ("reshape", "transpose")} == expected
    assert kinds["transpose"] <= 5  # one for each of q, k, v and the heads' outputs, one for the tokens
    wide = {node.op_type for node in canonical.graph if node.outputs[0].name in wide_values(canonical.graph)}
    assert wide == {"Softmax", "Add"}


def test_tokens_positions_and_a_scale_for_each_channel():
    """A class token that is joined, positions that are added, and the token that is read at the end."""
    body = """b = Shape<start=0, end=1>(t)
    i = Concat<axis=0>(b, rest)
    tokens = Expand(token, i)
    s = Concat<axis=1>(tokens, t)
    p = Add(s, places)
    n = LayerNormalization<axis=-1>(p, g, h)
    l = MatMul(n, m)
    k = Mul(l, gamma)
    e = Add(p, k)
    z = LayerNormalization<axis=-1>(e, g, h)
    f = Gather<axis=1>(z, zero)
    y = Gemm<transB=1>(f, u, d)"""
    given = {"token": ramp(1, 1, 8), "places": ramp(1, 7, 8, scale=0.3), "gamma": ramp(8) + 0.5}
    weights = {**NORM, **given, "m": NUMBERS["m"], "zero": np.array(0), "rest": np.array([1, 8])}
    model = parse(f"{TOKENS}\n{body}", "N,2,4,6", **{**SIZES, "u": ramp(3, 8)}, **weights)
    canonical = canonicalize(model)
    x = samples(model, 24)
    expected = run_ort(model, x)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    program = lower(read_quantized(quantize(canonical, x)))
    kinds = Counter(op.kind for op in program.ops)
    assert (kinds["pad"], kinds["depthwise"], kinds["conv"], kinds["max_pool"]) == (1, 1, 1, 1)
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    assert np.abs(logits * program.tensors[program.output].scale[0] - expected).max() < 0.05


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("s = Softmax<axis=0>(t)", r"Softmax node .* works along axis 0 of a tensor of shape"),
        (
            "s = LayerNormalization<axis=0>(t, g2, h2)",
            r"LayerNormalization node .* norms a tensor .* from axis 0 on",
        ),
        (
            "w = Reshape(t, four)\ns = MatMul(x, w)",
            r"MatMul node .* multiplies tensors of shapes \(\d+, 2, 4, 6\) and \(\d+, 1, 6, 8\)",
        ),
    ],
)
def test_what_the_core_has_no_rows_for_is_refused(body, match):
    weights = {"g2": ramp(6, 8), "h2": ramp(6, 8), "four": np.array([0, 1, 6, 8])}
    sizes = {**SIZES, "u": ramp(3, 64)} if "MatMul" in body else SIZES
    model = parse(f"{TOKENS}\n{body}\n{HEAD % 's'}", "N,2,4,6", **sizes, **weights)
    with pytest.raises(StepforwardError, match=match):
        canonicalize(model)


CAUSAL = np.tri(6, dtype=bool)
MASKS = {
    "added": ("s1 = Add(s, m0)", {"m0": np.where(CAUSAL, 0, -np.inf).astype(np.float32)}),
    "added, finite": (
        "s1 = Add(m0, s)",
        {"m0": np.where(CAUSAL, 0, np.float32(-1e9)).astype(np.float32)[None]},
    ),
    "filled": ("s1 = Where(hidden, low, s)", {"hidden": ~CAUSAL, "low": np.array(-np.inf, np.float32)}),
    "kept": ("s1 = Where(seen, s, low)", {"seen": CAUSAL, "low": np.array(-np.inf, np.float32)}),
    "of two": (
        "s0 = Add(s, m0)\ns1 = Where(hidden, low, s0)",
        {
            "m0": np.where(CAUSAL, 0, -np.inf).astype(np.float32),
            "hidden": np.arange(6) == 4,
            "low": np.array(-np.inf, np.float32),
        },
    ),
}


@pytest.mark.parametrize(("mask", "constants"), MASKS.values(), ids=MASKS)
def test_constant_masks_are_part_of_the_softmax(mask, constants):
    body = f"k = Transpose<perm=[0,2,1]>(t)\ns = MatMul(t, k)\n{mask}\na = Softmax<axis=-1>(s1)\nz = MatMul(a, t)"
    model = parse(f"{TOKENS}\n{body}\n{HEAD % 'z'}", "N,2,4,6", **SIZES, **constants)
    x = samples(model, 24)
    expected, canonical = run_ort(model, x), canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    quantized = quantize(canonical, x)
    program = lower(read_quantized(quantized))
    (softmax,) = [op.what for op in program.ops if op.kind == "softmax"]
    assert len(softmax.mask) == 6
    assert Counter(op.kind for op in program.ops)["add"] == 0
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    assert (
        np.abs(logits * program.tensors[program.output].scale[0] - expected).max()
        < 0.05 * np.abs(expected).max()
    )
    np.testing.assert_allclose(
        run_ort(quantized, x), run(canonical.graph, x), atol=0.05 * np.abs(expected).max()
    )


def test_what_torch_puts_after_a_masked_softmax_is_dropped():
    body = """s1 = Where(seen, t, low)
    a = Softmax<axis=-1>(s1)
    none = IsNaN(a)
    z = Where(none, zero, a)"""
    seen = np.ones((6, 8), bool)
    seen[:, 1] = False
    low = {"low": np.array(-np.inf, np.float32), "zero": np.array(0, np.float32)}
    canonical = canonicalize(parse(f"{TOKENS}\n{body}\n{HEAD % 'z'}", "N,2,4,6", **SIZES, seen=seen, **low))
    assert Counter(node.op_type for node in canonical.graph)["Where"] == 1


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("z = Where(seen, t, low)", r"Where node 'z' chooses among values"),
        ("c = Greater(t, low)\nz = Where(c, t, low)", r"Greater node .*, Where node"),
        ("s = Where(nothing, t, low)\nz = Softmax<axis=-1>(s)", r"mask of Softmax node .* reads nothing"),
    ],
)
def test_what_is_no_mask_is_refused(body, match):
    given = {
        "seen": np.ones((6, 8), bool),
        "nothing": np.zeros((6, 8), bool),
        "low": np.array(-1e9, np.float32),
    }
    with pytest.raises(StepforwardError, match=match):
        canonicalize(parse(f"{TOKENS}\n{body}\n{HEAD % 'z'}", "N,2,4,6", **SIZES, **given))


def test_a_layer_norm_as_keras_writes_it_is_one_node():
    body = (
        "m = ReduceMean<axes=[2]>(x) d = Sub(x, m) s = Mul(d, d) v = ReduceMean<axes=[2]>(s) e = Add(v, epsilon) "
        "r = Sqrt(e) i = Reciprocal(r) g = Mul(i, ln.gamma) a = Mul(x, g) n = Mul(m, g) c = Sub(ln.beta, n) "
        "z = Add(a, c) f = Flatten(z) y = Gemm<transB=1>(f, w, b)"
    )
    arrays = {"ln.gamma": 1 + ramp(6), "ln.beta": ramp(6), "w": ramp(3, 24), "b": ramp(3)}
    model = parse(body, "N,4,6", opset=17, epsilon=np.float32(1e-3), **arrays)
    made = canonical_like(model, "LayerNormalization Flatten Gemm")
    assert {"ln.gamma", "ln.beta"} <= set(made.graph.initializers)


def test_arithmetic_after_a_layer_at_every_token_is_part_of_it():
    body = "m = MatMul(x, w) s = Sub(m, half) t = Mul(s, each) f = Flatten(t) y = Gemm<transB=1>(f, v, b)"
    arrays = {"w": ramp(6, 5), "half": np.float32(0.5), "each": 1 + ramp(5), "v": ramp(3, 20), "b": ramp(3)}
    canonical_like(parse(body, "N,4,6", **arrays), "Reshape Transpose Conv Transpose Reshape Flatten Gemm")
