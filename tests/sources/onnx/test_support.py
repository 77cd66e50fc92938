import numpy as np
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.support import unsupported

END = "g = GlobalAveragePool(c)\ny = Flatten(g)"


def names(model):
    return [(found.operator, found.count) for found in unsupported(model)]


def refusal(model):
    with pytest.raises(StepforwardError) as caught:
        canonicalize(model)
    return caught.value


def test_a_network_that_runs_has_none():
    assert unsupported(parse(f"c = Relu(x)\n{END}")) == []


def test_all_are_named_at_once_each_with_its_remedy():
    model = parse(
        f"a = CumSum(x, w)\nb = CumSum(a, w)\nd = LpPool<kernel_shape=[1, 1]>(b)\nc = LRN<size=1>(d)\n{END}",
        w=ramp(2),
    )
    assert names(model) == [("CumSum", 2), ("LpPool", 1), ("LRN", 1)]
    error = refusal(model)
    assert "CumSum (2 nodes, first 'a'), LpPool node 'd', LRN node 'c'" in error.what
    assert "CumSum, LpPool: use AdaptiveAvgPool2d(1)" in error.remedy
    assert "LRN: train with BatchNorm" in error.remedy


def test_shapes_that_cannot_be_inferred_do_not_hide_the_operator():
    """Inference stops at an operator of another domain, and every operator after it has no shape."""
    model = parse(f"a = Relu(x)\nc = Relu(a)\n{END}")
    model.graph[1].domain, model.graph[1].op_type = "com.microsoft", "FusedConv"
    model.graph.opset_imports["com.microsoft"] = 1
    error = refusal(model)
    assert error.what == "com.microsoft.FusedConv node 'c' is not supported"
    assert "ONNX Runtime" in error.remedy


def test_what_is_computed_from_constants_or_shapes_alone_needs_no_support():
    body = "s = Shape(x)\nr = Range(zero, four, one)\ni = Where(yes, s, r)\nu = Erf(x)\nc = Reshape(x, i)\n"
    model = parse(body + END, zero=np.int64(0), four=np.int64(4), one=np.int64(1), yes=np.array(True))
    assert names(model) == []


def test_products_of_two_computed_tensors_are_listed():
    model = parse(f"a = Relu(x)\nc = PRelu(a, x)\n{END}")
    assert names(model) == [("PRelu", 1)]
    assert "one of its operands must be constant" in refusal(model).remedy


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_logarithm_of_a_softmax_is_supported_only_at_the_end(kind):
    assert names(parse(f"g = GlobalAveragePool(x)\ns = {kind}<axis=1>(g)\ny = Flatten(s)")) == []
    found = [(kind, 1)] if kind == "LogSoftmax" else []
    assert names(parse(f"c = {kind}<axis=3>(x)\n{END}")) == found


def test_random_numbers_are_no_constants():
    assert names(parse(f"r = RandomNormal<shape=[1,2,6,6]>()\nc = Add(x, r)\n{END}")) == [("RandomNormal", 1)]


def test_functions_of_the_model_are_looked_into():
    text = """<ir_version: 10, opset_import: ["": 21, "own": 1]>
    net (float[N,4] x) => (float[N,4] y) { y = own.Act(x) }
    <opset_import: ["": 21], domain: "own">
    Act (a) => (b) { b = Hardmax(a) }"""
    assert names(ir.from_onnx_text(text)) == [("Hardmax", 1)]
