"""Files from strangers: what is refused, and how it is said."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import parse, ramp

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import is_quantized
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx, save_onnx

BODY = "f = Flatten(x)\ny = Gemm<transB=1>(f, fc.weight, fc.bias)"


QDQ = "q = QuantizeLinear(x, s)\nd = DequantizeLinear(q, s)\n" + BODY.replace("(x)", "(d)")


def small(**changes):
    weights = {"fc__weight": ramp(4, 72), "fc__bias": ramp(4)} | changes.pop("weights", {})
    return parse(changes.pop("body", BODY), **weights, **changes)


def refuse(path, message):
    with pytest.raises(StepforwardError, match=message) as caught:
        load_onnx(path)
    assert caught.value.remedy


def test_save_and_load(tmp_path):
    save_onnx(small(), tmp_path / "a.onnx")
    model = load_onnx(tmp_path / "a.onnx")
    assert np.array_equal(model.graph.initializers["fc.weight"].const_value.numpy(), ramp(4, 72))
    assert not is_quantized(model)


def test_missing_file(tmp_path):
    refuse(tmp_path / "none.onnx", "cannot find .*none.onnx")
    refuse(tmp_path, "is a folder")


@pytest.mark.parametrize("content", [b"\x08\x0a", b"\x08\x08" + bytes(100)])
def test_other_files(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    refuse(tmp_path / "a.onnx", "not a readable ONNX model")


def test_truncated_files(tmp_path):
    content = ir.to_proto(small()).SerializeToString()
    for length in range(1, len(content), 37):
        (tmp_path / "a.onnx").write_bytes(content[:length])
        with pytest.raises(StepforwardError):
            load_onnx(tmp_path / "a.onnx")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_flipped_bytes_give_a_model_or_a_clear_error(tmp_path_factory, data):
    content = bytearray(ir.to_proto(small()).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.onnx"
    path.write_bytes(content)
    try:
        canonicalize(load_onnx(path))
    except StepforwardError as error:
        assert error.what


def test_missing_external_data(tmp_path):
    proto = ir.to_proto(small())
    onnx.save(proto, tmp_path / "a.onnx", save_as_external_data=True, location="a.data", size_threshold=0)
    assert load_onnx(tmp_path / "a.onnx").graph.initializers["fc.weight"].shape == ir.Shape([4, 72])
    (tmp_path / "a.data").unlink()
    with pytest.raises(StepforwardError):
        load_onnx(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_shape": "N,2,H,6"}, "axis 2 of input 'x' .* is dynamic"),
        ({"input_shape": "72"}, "expected \\(N, C, H, W\\)"),
        ({"weights": {"fc__bias": np.array([0, np.nan, 0, 0], np.float32)}}, "'fc.bias' .* contains NaN"),
        ({"weights": {"fc__weight": np.full((4, 72), np.inf, np.float32)}}, "'fc.weight' .* contains Inf"),
        ({"body": QDQ, "weights": {"s": np.float32(0.5)}}, "already quantized by another tool"),
    ],
)
def test_refused_models(tmp_path, changes, message):
    save_onnx(small(**changes), tmp_path / "a.onnx")
    refuse(tmp_path / "a.onnx", message)


def test_two_inputs_and_integer_inputs(tmp_path):
    header = '<ir_version: 10, opset_import: ["": 21]> net '
    text = header + "(float[N,4] x, int64[N,4] z) => (float[N,4] y) { f = Cast<to=1>(z) y = Add(x, f) }"
    onnx.save(onnx.parser.parse_model(text), tmp_path / "a.onnx")
    refuse(
        tmp_path / "a.onnx",
        r"has 2 inputs: 'x' \(N, 4\), 'z' \(N, 4\) INT64; several have to be float32 samples",
    )
    text = header + "(uint8[N,4] x) => (float[N,4] y) { y = Cast<to=1>(x) }"
    onnx.save(onnx.parser.parse_model(text), tmp_path / "a.onnx")
    refuse(tmp_path / "a.onnx", "is UINT8, not FLOAT")


def test_weights_listed_as_inputs_are_weights(tmp_path):
    proto = ir.to_proto(small())
    proto.graph.input.append(onnx.helper.make_tensor_value_info("fc.weight", onnx.TensorProto.FLOAT, [4, 72]))
    onnx.save(proto, tmp_path / "a.onnx")
    canonical = canonicalize(load_onnx(tmp_path / "a.onnx"))
    assert [value.name for value in canonical.graph.inputs] == ["x"]
    assert canonical.graph[1].inputs[1].is_initializer()


def test_writing_fails_without_touching_anything(tmp_path):
    with pytest.raises(StepforwardError, match="cannot write"):
        save_onnx(small(), tmp_path / "no" / "a.onnx")
