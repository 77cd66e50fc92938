"""One-dimensional convolutions and pools: images of height 1, whatever stands between them."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.graph.channels import channel_axis
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

FIRST = "a = Conv<kernel_shape=[3], pads=[1, 1]>(x, w, b)\nr = Relu(a)"
HEAD = "y = Gemm<transB=1>(f, u, d)"
MEAN = "m = GlobalAveragePool(%s)\nf = Flatten(m)"
WEIGHTS = {"w": ramp(6, 4, 3), "b": ramp(6), "u": ramp(3, 6), "d": ramp(3)}


def operators(body, shape="N,4,16", **weights):
    """The kinds of the operators of a network that is held to ONNX Runtime on the way."""
    model = parse(f"{body}\n{HEAD}", shape, opset=18, **WEIGHTS | weights)
    x = samples(model, 24)
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    program = lower(read_quantized(quantize(canonical, x)))
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    found = logits * program.tensors[program.output].scale[0]
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    return [op.kind for op in program.ops if op.kind not in ("reshape", "transpose")]


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (f"{FIRST}\n{MEAN % 'r'}", ["conv", "average_pool"]),
        (
            f"{FIRST}\np = MaxPool<kernel_shape=[2], strides=[2]>(r)\n{MEAN % 'p'}",
            ["conv", "max_pool", "average_pool"],
        ),
        (
            f"{FIRST}\np = AveragePool<kernel_shape=[3], pads=[1, 1], strides=[2]>(r)\n{MEAN % 'p'}",
            ["conv", "average_pool", "average_pool"],
        ),
        (f"{FIRST}\nf = ReduceMean<keepdims=0>(r, last)", ["conv", "average_pool"]),
        (f"{FIRST}\nf = ReduceMax<keepdims=0>(r, last)", ["conv", "max_pool"]),
        (f"{FIRST}\no = GlobalMaxPool(r)\nf = Flatten(o)", ["conv", "max_pool"]),
        (f"{FIRST}\no = HardSwish(r)\n{MEAN % 'o'}", ["conv", "lookup", "average_pool"]),
        (f"{FIRST}\nz = Mul(r, each)\n{MEAN % 'z'}", ["conv", "depthwise", "average_pool"]),
        (
            f"{FIRST}\nc = Conv<group=6, dilations=[2], pads=[2, 2]>(r, v)\ns = Add(r, c)\n{MEAN % 's'}",
            ["conv", "depthwise", "add", "average_pool"],
        ),
        (f"{FIRST}\nc = Concat<axis=2>(r, a)\n{MEAN % 'c'}", ["conv", "rescale", "concat", "average_pool"]),
        (
            f"q = Pad(x, pads, zero)\nc = Conv<kernel_shape=[3], strides=[2]>(q, w, b)\n{MEAN % 'c'}",
            ["conv", "average_pool"],
        ),
        (
            f'n = BatchNormalization(x, g, h, h, g)\nc = Conv<auto_pad="SAME_UPPER">(n, w, b)\n{MEAN % "c"}',
            ["depthwise", "conv", "average_pool"],
        ),
        (
            f"{FIRST}\nt = Slice(r, zero1, most, last)\nc = Conv<kernel_shape=[3], group=6>(t, v)\n{MEAN % 'c'}",
            None,
        ),
    ],
)
def test_windows_on_lines(body, kinds):
    found = operators(
        body,
        last=np.array([2]),
        each=ramp(6, 1) + 1,
        v=ramp(6, 1, 3),
        pads=np.array([0, 0, 2, 0, 0, 0]),
        zero=np.zeros((), np.float32),
        g=ramp(4) + 2,
        h=ramp(4),
        zero1=np.array([0]),
        most=np.array([12]),
    )
    assert kinds is None or found == [*kinds, "fully_connected"]


def test_time_first():
    """(N, T, C), as recorders write it and as networks turn it themselves; each channel has a scale of its own."""
    body = f"x1 = Transpose<perm=[0, 2, 1]>(x)\n{FIRST.replace('(x, w', '(x1, w')}\n{MEAN % 'r'}\n{HEAD}"
    sizes = np.array([1, 1, 1, 400], np.float32)
    model = parse(body, "N,16,4", opset=18, **WEIGHTS | {"w": WEIGHTS["w"] / sizes[:, None]})
    canonical = canonicalize(model)
    assert channel_axis(canonical.graph) == 2
    x = samples(model, 40) * sizes
    network = read_quantized(quantize(canonical, x))
    assert network.axis == 2 and len(network.factor) == 4
    program = lower(network)
    assert [op.kind for op in program.ops if op.kind != "reshape"] == [
        "conv",
        "average_pool",
        "fully_connected",
    ]
    logits = logits_of(CoreEngine(program), quantize_input(program, x))
    expected = run_ort(model, x)
    found = logits * program.tensors[program.output].scale[0]
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
