"""Outputs besides the logits: kept through every pass and quantizing, with the values that they had."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples, session

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.metadata import OUTPUT
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.source import QdqSource
from stepforward.sources.open import open_source

BODY = """
    c = Conv<pads=[1,1,1,1]>(x, conv.weight)
    b = BatchNormalization(c, scale, shift, mean, variance)
    maps = Relu(b)
    g = GlobalAveragePool(maps)
    embedding = Flatten(g)
    y = Gemm<transB=1>(embedding, fc.weight, fc.bias)
    h = ReduceMax<keepdims=0>(maps, axes)
    aux = Gemm<transB=1>(h, aux.weight)
    length = ReduceL2(embedding, last)
    unit = Div(embedding, length)
    label = ArgMax<axis=1, keepdims=0>(y)
"""
OUTPUTS = "float[N,8,6,6] maps, float[N,8] embedding, float[N,3] aux, float[N,8] unit, int64[N] label, "
OUTPUTS += "float[N,4] probabilities, "


def network(body=BODY, outputs=OUTPUTS, **changes):
    weights = {
        "conv__weight": ramp(8, 2, 3, 3, scale=0.5),
        "scale": 1 + ramp(8),
        "shift": ramp(8),
        "mean": ramp(8),
        "variance": 1 + ramp(8),
        "fc__weight": ramp(4, 8, scale=1.0),
        "fc__bias": ramp(4),
        "aux__weight": ramp(3, 8),
        "axes": np.array([2, 3]),
        "last": np.array([1]),
    }
    used = {name: array for name, array in weights.items() if name.replace("__", ".") in body}
    if "probabilities" in outputs:
        body += "probabilities = Softmax<axis=1>(y)"
    return parse(body, outputs=outputs, **used | changes)


def named(model, x):
    given = session(model)
    return dict(zip((value.name for value in given.get_outputs()), given.run(None, {"x": x}), strict=True))


def signal(expected, found):
    """How far above its error a value lies, dB."""
    return 10 * np.log10((expected**2).sum() / ((found - expected) ** 2).sum())


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_a_quantized_file_has_all_outputs_in_their_order(opset):
    body = BODY
    if opset < 18:
        body = body.replace("<keepdims=0>(maps, axes)", "<keepdims=0, axes=[2, 3]>(maps)")
        body = body.replace("(embedding, last)", "<axes=[1]>(embedding)")
    model = network(body, opset=opset)
    x = samples(model, 32)
    expected = named(model, x)
    source = open_source(model, output="y")
    made = source.quantized(QuantizationSettings(), x)
    onnx.checker.check_model(ir.to_proto(made.model), full_check=True)
    found = named(made.model, x)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert (found[name].shape, found[name].dtype) == (values.shape, values.dtype)
        if name != "label":
            assert signal(values, found[name]) > 25, name
    assert made.model.metadata_props[OUTPUT] == "y"
    assert np.array_equal(found["label"], found["y"].argmax(axis=1))

    program = lower(made.network())  # of the way to the logits alone, the same as without other outputs
    alone = lower(open_source(model, output="only:y").quantized(QuantizationSettings(), x).network())
    assert (program.weights_sha256, program.ops) == (alone.weights_sha256, alone.ops)
    form = program.tensors[program.output]
    q = logits_of(CoreEngine(program), quantize_input(program, x))
    assert np.abs((q - form.zero_point) * form.scale[0] - found["y"]).max() < 0.02


def test_the_embedding_is_what_its_integers_stand_for():
    model = network()
    x = samples(model, 16)
    made = open_source(model, output="y").quantized(QuantizationSettings(), x)
    form = made.network().formats["embedding"]
    found = named(made.model, x)["embedding"]
    steps = found / np.float32(form.scale)
    assert np.array_equal(found, np.rint(steps).astype(np.float32) * np.float32(form.scale))


def test_other_outputs_change_with_adapted_weights_and_keep_their_names(tmp_path):
    model = network()
    x = samples(model, 16)
    made = open_source(model, output="y").quantized(QuantizationSettings(), x)
    weight = next(node.weight for node in made.network().nodes if node.weight.name == "conv.weight")
    changed = made.with_weights({"conv.weight": weight.q // 2})
    changed.save(tmp_path / "m.onnx")
    again = open_source(tmp_path / "m.onnx")
    assert isinstance(again, QdqSource) and again.outputs == 4
    before, after = named(made.model, x), named(again.model, x)
    assert list(before) == list(after)
    assert all(not np.array_equal(before[name], after[name]) for name in ("maps", "embedding", "aux", "y"))


def test_probabilities_stay_beside_the_logits_that_they_are_made_of():
    body = "f = Flatten(x)\nembedding = Gemm<transB=1>(f, w)\nz = Gemm<transB=1>(embedding, v)\ny = Softmax<axis=1>(z)"
    weights = {"w": ramp(6, 72, scale=0.3), "v": ramp(4, 6, scale=1.0)}
    model = parse(body, outputs="float[N,6] embedding, ", **weights)
    x = samples(model, 8)
    source = open_source(model, output="y")
    assert "the logits are the output 'logits'" in source.notes[0]
    found = named(source.quantized(QuantizationSettings(), x).model, x)
    assert list(found) == ["embedding", "y", "logits"]
    powers = np.exp(found["logits"] - found["logits"].max(axis=1, keepdims=True))
    np.testing.assert_allclose(found["y"], powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_float_source_is_written_with_all_outputs(tmp_path):
    model = network()
    x = samples(model, 8)
    source = open_source(model, output="y")
    source.save(tmp_path / "m.onnx")
    again = open_source(tmp_path / "m.onnx")
    assert again.outputs == 4
    expected, found = named(model, x), named(again.for_callers, x)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


def test_operators_that_only_other_outputs_need_may_be_any():
    model = network(
        outputs=OUTPUTS + "int64[N,2] best, ",
        body=BODY + "v, best = TopK<axis=1>(y, two)\n",
        two=np.array([2]),
    )
    x = samples(model, 8)
    made = open_source(model, output="y").quantized(QuantizationSettings(), x)
    assert np.array_equal(named(made.model, x)["best"][:, 0], named(made.model, x)["label"])


def test_values_of_a_line_keep_their_axes():
    body = """
        c = Conv<pads=[1, 1]>(x, w)
        line = Relu(c)
        p = MaxPool<kernel_shape=[2], strides=[2]>(line)
        f = Flatten(p)
        y = Gemm<transB=1>(f, v)
    """
    model = parse(body, input_shape="N,2,8", outputs="float[N,4,8] line, ", w=ramp(4, 2, 3), v=ramp(3, 16))
    x = samples(model, 16)
    made = open_source(model).quantized(QuantizationSettings(), x)
    expected, found = named(model, x), named(made.model, x)
    assert found["line"].shape == expected["line"].shape
    assert min(signal(expected[name], found[name]) for name in expected) > 25


def test_what_is_refused_is_refused_by_name():
    with pytest.raises(StepforwardError, match=r"has 7 outputs: 'maps' \(N, 8, 6, 6\), .*'y' \(N, \?\)"):
        open_source(network())
    made = open_source(network(), output="y").quantized(QuantizationSettings(), samples(network(), 4))
    with pytest.raises(StepforwardError, match="was quantized for its output 'y', not 'aux'"):
        open_source(made.model, output="aux")
    assert run_ort(made.model, samples(network(), 4)).shape == (4, 8, 6, 6)
