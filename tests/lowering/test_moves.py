"""Whole graphs through quantization and lowering: what moves integers moves them as ONNX Runtime does, bit for bit."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

SPLIT = {"a": np.array([0, 2, 4, 6, 4]), "b": np.array([-1, 8, 6, 4])}
MANY = {"a": np.array([0, 2, 4, 3, 2, 2, 2]), "b": np.array([-1, 8, 6, 4])}


def assert_equal(body, **weights):
    model = quantize(canonicalize(parse(body, input_shape="N,8,6,4", **weights)), ramp(16, 8, 6, 4))
    program, x = lower(read_quantized(model)), ramp(16, 8, 6, 4)
    expected = run_ort(model, x) / program.tensors[program.output].scale[0]
    found = logits_of(ReferenceEngine(program), quantize_input(program, x))
    zero = program.tensors[program.output].zero_point
    assert np.array_equal(found, np.rint(expected).astype(np.int64) + zero) and len(np.unique(found)) > 50
    assert np.array_equal(logits_of(CoreEngine(program), quantize_input(program, x)), found)


@pytest.mark.parametrize(
    ("body", "weights"),
    [
        ("r = Reshape(x, a)\nt = Transpose<perm=[0,2,1,3,4]>(r)\nc = Reshape(t, b)", SPLIT),
        ("r = Reshape(x, a)\nt = Transpose<perm=[0,6,5,4,3,2,1]>(r)\nc = Reshape(t, b)", MANY),
        ("c = SpaceToDepth<blocksize=2>(x)", {}),
        ("c = DepthToSpace<blocksize=2>(x)", {}),
        ("a, b = Split<axis=1, num_outputs=2>(x)\nc = Concat<axis=1>(b, a)", {}),
        ("c = Gather<axis=1>(x, p)", {"p": np.array([7, 1, 2, 3, -2])}),
        ("c = Slice(x, a, b, d)", {"a": np.array([1, 1]), "b": np.array([-1, 3]), "d": np.array([2, 3])}),
        (
            "c = Slice(x, a, b, d, s)",
            {"a": np.array([1]), "b": np.array([99]), "d": np.array([1]), "s": np.array([3])},
        ),
    ],
)
def test_moves(body, weights):
    assert_equal(f"{body}\nm = MaxPool<kernel_shape=[1,1]>(c)\ny = Flatten(m)", **weights)


def test_weights_with_the_names_of_formats():
    """Weights may be called as quantization would call the scale or the integers of an activation."""
    names = ("x__scale", "x__q", "x__dq", "x__zero_point", "y__float", "flatten__q", "relu__scale")
    layers = [f"a{i + 1} = Gemm<transB=1>(a{i}, {name})" for i, name in enumerate(names)]
    body = "\n".join(["a0 = Flatten(x)", *layers, "y = Relu(a7)"])
    weights = {name: np.eye(192, dtype=np.float32) for name in names}
    model = quantize(canonicalize(parse(body, input_shape="N,8,6,4", **weights)), ramp(16, 8, 6, 4))
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    program, x = lower(read_quantized(model)), ramp(16, 8, 6, 4)
    found = logits_of(ReferenceEngine(program), quantize_input(program, x))
    scale = program.tensors[program.output].scale[0]
    np.testing.assert_allclose(found * scale, np.maximum(x.reshape(16, -1), 0), atol=0.01)
    assert {tensor.name for tensor in program.parameters} >= {name.replace("__", ".") for name in names}


def test_a_network_that_only_changes_the_shape():
    assert_equal("y = Flatten(x)")


def test_rows_and_columns_are_regrouped_without_moving_channels():
    body = "r = Reshape(x, a)\nm = MaxPool<kernel_shape=[2,1]>(r)\ny = Flatten(m)"
    assert_equal(body, a=np.array([0, 8, 4, 6]))
    model = quantize(canonicalize(parse(body, "N,8,6,4", a=np.array([0, 8, 4, 6]))), ramp(16, 8, 6, 4))
    assert [op.kind for op in lower(read_quantized(model)).ops][:2] == ["reshape", "max_pool"]
