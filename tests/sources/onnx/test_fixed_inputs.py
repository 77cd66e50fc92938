"""Inputs that are no samples: constants of the network, and still inputs of what is written."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import ramp, run_ort, session

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.fixed_inputs import fixed_inputs_text, parse_fixed_inputs
from stepforward.sources.open import open_source

TEXT = """<ir_version: 10, opset_import: ["": 21]>
net (int64 rate, float[N,6] x, float[N,1] gain, bool flag) => (float[N,3] y) {
    narrow = Constant<value = int64 {8000}>()
    is_narrow = Equal(rate, narrow)
    low = Constant<value = float {0.5}>()
    high = Constant<value = float {2.0}>()
    factor = Where(is_narrow, low, high)
    scaled = Mul(x, factor)
    louder = Mul(scaled, gain)
    inverse = Where(flag, low, high)
    other = Mul(louder, inverse)
    y = Gemm<transB=1>(other, w)
}"""


@pytest.fixture
def path(tmp_path):
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer.append(onnx.numpy_helper.from_array(ramp(3, 6), "w"))
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


FIXED = {"rate": 16000, "gain": 1.5, "flag": 1}
X = ramp(5, 6, scale=2.0)


def test_a_network_computes_what_it_does_with_these_numbers(path):
    given = {
        "rate": np.array(16000),
        "gain": np.full((5, 1), 1.5, np.float32),
        "flag": np.array(True),
        "x": X,
    }
    expected = session(ir.load(path)).run(None, given)[0]
    source = open_source(path, fixed_inputs=FIXED)
    assert (source.input_shape, source.outputs) == ((6,), 3)
    np.testing.assert_allclose(run(source.float_model().graph, X), expected, rtol=1e-5, atol=1e-6)
    by_text = open_source(ir.load(path), fixed_inputs=fixed_inputs_text(FIXED))
    np.testing.assert_array_equal(run(by_text.float_model().graph, X), run(source.float_model().graph, X))


def test_what_is_written_still_takes_them_and_needs_none(path, tmp_path):
    made = open_source(path, fixed_inputs=FIXED).quantized(QuantizationSettings(), X)
    made.save(tmp_path / "q.onnx")
    again = open_source(tmp_path / "q.onnx")
    assert (again.input_shape, again.outputs) == ((6,), 3)
    assert [value.name for value in again.float_model().graph.inputs] == ["x"]
    given = session(again.model)
    alone = given.run(None, {"x": X})[0]
    fed = {"x": X, "rate": np.array(8000), "gain": np.ones((1, 1), np.float32), "flag": np.array(False)}
    np.testing.assert_array_equal(given.run(None, fed)[0], alone)
    source = open_source(path, fixed_inputs=FIXED)
    source.save(tmp_path / "f.onnx")
    np.testing.assert_allclose(run_ort(ir.load(tmp_path / "f.onnx"), X), alone, atol=0.05)
    opened = open_source(tmp_path / "f.onnx")
    assert [value.name for value in opened.fixed] == ["rate", "gain", "flag"]


def test_what_is_refused_is_refused_by_name(path, tmp_path):
    with pytest.raises(
        StepforwardError, match=r"4 inputs: 'rate' \(\) INT64, 'x' \(N, 6\), 'gain' \(N, 1\)"
    ) as found:
        open_source(path)
    assert "--fixed-inputs NAME=NUMBER" in found.value.remedy
    for fixed, why in (
        ({"rate": 1.5, "gain": 1, "flag": 1}, "'rate' .* is INT64, and 1.5 is not"),
        ({"speed": 1}, "no input 'speed' besides that of samples"),
        ({**FIXED, "x": 0}, "no input '.*' besides that of samples"),
        ("rate", "are not names with numbers"),
        ("rate=fast", "are not names with numbers"),
        ("rate=nan", "are not names with numbers"),
    ):
        with pytest.raises(StepforwardError, match=why):
            open_source(path, fixed_inputs=fixed)
    made = open_source(path, fixed_inputs=FIXED).quantized(QuantizationSettings(), X)
    with pytest.raises(StepforwardError, match="with its inputs as they are"):
        open_source(made.model, fixed_inputs=FIXED)
    assert parse_fixed_inputs(None) == {}


BRANCHES = """<ir_version: 10, opset_import: ["": 21]>
net (float[N,6] x, int64 rate) => (float[N,3] y) {
    narrow = Constant<value = int64 {8000}>()
    is_narrow = Equal(rate, narrow)
    r = Relu(x)
    h = If (is_narrow) <
        then_branch = low () => (float[N,6] a) { s = Softplus(r)  t = CumSum(s, narrow)  a = Exp(t) },
        else_branch = high () => (float[N,6] b) {
            k = Constant<value = float[6] {1, 2, 3, 4, 5, 6}>()
            b = Mul(r, k)
        }
    >
    y = Gemm<transB=1>(h, w)
}"""


def test_a_branch_that_a_fixed_input_chooses_is_taken(tmp_path):
    model = onnx.parser.parse_model(BRANCHES)
    model.graph.initializer.append(onnx.numpy_helper.from_array(ramp(3, 6), "w"))
    expected = session(ir.from_proto(model)).run(None, {"x": X, "rate": np.array(16000)})[0]
    found = open_source(ir.from_proto(model), fixed_inputs={"rate": 16000}).float_model().graph
    assert [node.op_type for node in found] == ["Relu", "Gemm"]  # the product is part of the layer
    np.testing.assert_allclose(run(found, X), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(StepforwardError, match=r"CumSum node .* is not supported"):
        open_source(ir.from_proto(model), fixed_inputs={"rate": 8000})


def test_a_fixed_input_that_a_function_reads_stays_its_constant(tmp_path):
    text = """<ir_version: 10, opset_import: ["": 21]>
    net (float[N,6] x, float[1] gain) => (float[N,3] y) {
        s = Sigmoid(x)
        m = Mul(s, gain)
        y = Gemm<transB=1>(m, w)
    }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(ramp(3, 6), "w"))
    onnx.save(model, tmp_path / "m.onnx")
    source = open_source(tmp_path / "m.onnx", fixed_inputs={"gain": 2})
    expected = session(ir.load(tmp_path / "m.onnx")).run(None, {"x": X, "gain": np.array([2], np.float32)})[0]
    source.save(tmp_path / "again.onnx")
    quantized = source.quantized(QuantizationSettings(), X)
    quantized.save(tmp_path / "q.onnx")
    for name, near in (("again.onnx", 1e-5), ("q.onnx", 0.05)):
        found = session(ir.load(tmp_path / name))
        assert np.allclose(found.run(None, {"x": X})[0], expected, atol=near)
    read = open_source(tmp_path / "q.onnx").network()
    assert read.formats.keys() == quantized.network().formats.keys()
    assert "gain" in open_source(tmp_path / "again.onnx").for_callers.graph.initializers
