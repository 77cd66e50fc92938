"""Old opsets are converted when a file is read: same function, same weights."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parameters, parse, ramp, run_ort, samples

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.metadata import BITS, get_notes
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx, save_onnx

WEIGHTS = {
    "conv1__weight": ramp(4, 2, 3, 3),
    "bn__weight": ramp(4) + 1,
    "bn__bias": ramp(4),
    "bn__running_mean": ramp(4, scale=0.5),
    "bn__running_var": ramp(4, scale=0.5) + 1,
    "fc__weight": ramp(3, 4),
    "fc__bias": ramp(3),
}


def old_network(opset):
    """Pad and Clip with bounds as attributes before opset 11, axes as attributes throughout."""
    weights, pad, clip = dict(WEIGHTS), "Pad<pads=[0,0,1,1,0,0,1,0]>(x)", "Clip<min=0.0, max=6.0>(b)"
    if opset >= 11:
        pad, clip = "Pad(x, pads)", "Clip(b, lo, hi)"
        weights |= {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 0]), "lo": np.float32(0), "hi": np.float32(6)}
    model = parse(
        f"""p = {pad}
        k = Conv(p, conv1.weight)
        b = BatchNormalization(k, bn.weight, bn.bias, bn.running_mean, bn.running_var)
        r = {clip}
        d = Dropout(r)
        m = ReduceMean<axes=[-2, -1]>(d)
        s = Squeeze<axes=[2, 3]>(m)
        u = Unsqueeze<axes=[2, 3]>(s)
        f = Flatten(u)
        l = Gemm<transB=1>(f, fc.weight, fc.bias)
        y = Softmax<axis=1>(l)""",
        opset=opset,
        **weights,
    )
    model.ir_version = 4
    model.metadata_props["mine"] = "kept"
    return model


@pytest.mark.parametrize("opset", range(7, 13))
def test_old_opsets_are_converted(opset, tmp_path):
    model = old_network(opset)
    save_onnx(model, tmp_path / "old.onnx")
    loaded = load_onnx(tmp_path / "old.onnx")
    assert loaded.metadata_props["mine"] == "kept"
    assert f"converted from opset {opset}" in get_notes(loaded)[0]
    canonical, x = canonicalize(loaded), samples(model)
    assert {"conv1.weight", "fc.weight", "fc.bias"} <= set(parameters(canonical))
    logits = run(canonical.graph, x)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, run_ort(model, x), rtol=1e-5, atol=1e-6)


def test_weights_listed_as_inputs_of_an_old_file_are_weights(tmp_path):
    proto = ir.to_proto(
        parse("f = Flatten(x)\ny = Gemm<transB=1>(f, w, b)", opset=8, w=ramp(4, 72), b=ramp(4))
    )
    proto.ir_version = 3
    for name, shape in (("w", [4, 72]), ("b", [4])):
        proto.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    onnx.save(proto, tmp_path / "old.onnx")
    canonical = canonicalize(load_onnx(tmp_path / "old.onnx"))
    assert [value.name for value in canonical.graph.inputs] == ["x"]
    assert np.array_equal(parameters(canonical)["w"], ramp(4, 72))


def refusal(model, path):
    save_onnx(model, path)
    with pytest.raises(StepforwardError) as caught:
        canonicalize(load_onnx(path))
    return caught.value


def test_what_the_converter_cannot_do_is_said(tmp_path):
    model = parse(
        "b = BatchNormalization<spatial=0>(x, w, w, w, w)\ny = Flatten(b)", opset=7, w=ramp(2, 6, 6) + 1
    )
    assert "uses opset 7, and onnx cannot convert it to 13" in refusal(model, tmp_path / "a.onnx").what


def test_opsets_before_the_oldest_are_refused(tmp_path):
    error = refusal(parse("g = GlobalAveragePool(x)\ny = Flatten(g)", opset=6), tmp_path / "a.onnx")
    assert "uses opset 6; stepforward reads opset 7" in error.what


def test_unsupported_operators_of_an_old_file_are_named(tmp_path):
    model = parse("c = LRN<size=3>(x)\ng = GlobalAveragePool(c)\ny = Flatten(g)", opset=9)
    assert "LRN node 'c' is not supported" in refusal(model, tmp_path / "a.onnx").what


def test_a_quantized_file_of_an_old_opset_is_not_converted(tmp_path):
    model = parse("g = GlobalAveragePool(x)\ny = Flatten(g)", opset=17)
    model.metadata_props[BITS] = "16w8a"
    assert "is quantized and uses opset 17" in refusal(model, tmp_path / "a.onnx").what


@pytest.mark.parametrize("opset", [11, 12])
def test_a_softmax_over_the_last_axis_of_an_image_needs_no_flattening(opset, tmp_path):
    body = "s = Softmax<axis=3>(x) f = Flatten(s) y = Gemm<transB=1>(f, w, b)"
    model = parse(body, opset=opset, w=ramp(3, 72), b=ramp(3))
    onnx.save(ir.to_proto(model), tmp_path / "old.onnx")
    graph = canonicalize(load_onnx(tmp_path / "old.onnx")).graph
    assert [node.op_type for node in graph] == ["Softmax", "Flatten", "Gemm"]
    x = samples(model)
    assert np.allclose(run(graph, x), run_ort(model, x), atol=1e-6)
