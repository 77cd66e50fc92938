import re

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from plain import PLAIN

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import get_notes
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.inspect import inspect
from stepforward.verbs.quantize import quantize, quantize_measured


def test_the_file_and_the_returned_model_are_the_same(task, tmp_path):
    graph = quantize(task.float_model, task.data, out=tmp_path / "q.onnx")
    onnx.checker.check_model(str(tmp_path / "q.onnx"), full_check=True)
    assert (
        evaluate(tmp_path / "q.onnx", task.test)["weights_sha256"]
        == evaluate(graph, task.test)["weights_sha256"]
    )


def test_labels_are_not_needed(task):
    x, _ = task.data
    with_labels, without = quantize(task.float_model, task.data), quantize(task.float_model, x)
    assert (
        evaluate(with_labels, task.test)["weights_sha256"] == evaluate(without, task.test)["weights_sha256"]
    )


@pytest.mark.parametrize("bits", ["16w8a", "8w8a", "4w8a"])
@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_every_setting_stays_near_the_float_network(task, bits, calibration, symmetric):
    graph = quantize(task.float_model, task.data, bits=bits, calibration=calibration, symmetric=symmetric)
    expected = evaluate(task.float_model, task.data)["loss"]
    result = evaluate(graph, task.data)
    assert result["bits"] == bits
    assert abs(result["loss"] - expected) < (0.15 if bits == "4w8a" else 0.03)


def test_what_is_refused(task, tmp_path):
    with pytest.raises(StepforwardError, match="quantized already"):
        quantize(task.model, task.data)
    with pytest.raises(StepforwardError, match="no samples"):
        quantize(task.float_model, np.zeros((0, 1, 8, 8), np.float32))
    before = task.float_model.read_bytes()
    with pytest.raises(StepforwardError, match="given to read"):
        quantize(task.float_model, task.data, out=task.float_model)
    assert task.float_model.read_bytes() == before


def uneven(spread: float) -> tuple[onnx.ModelProto, tuple[np.ndarray, np.ndarray]]:
    """Two features of sizes 1 and `spread`, joined with each other before the first layer, and labels by float32."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 2)).astype(np.float32) * np.array([1, spread], np.float32)
    weight = np.array([[1, 0, 0.5, 0], [-1, 0.01 / spread, 0, 0], [0, 0, 0, 0.01 / spread]], np.float32)
    text = """<ir_version: 10, opset_import: ["": 21]>
        net (float[N,2] x) => (float[N,3] y) { c = Concat<axis=1>(x, x)  y = Gemm<transB=1>(c, w) }"""
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return proto, (x, (np.hstack([x, x]) @ weight.T).argmax(axis=1))


@pytest.mark.parametrize("spread", [1.0, 3000.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_loss_of_accuracy_is_measured_and_said(spread, labelled):
    proto, (x, y) = uneven(spread)
    notes = []
    made = quantize_measured(ir.from_proto(proto), (x, y) if labelled else x)
    quantize(ir.from_proto(proto), (x, y) if labelled else x, on_note=notes.append)
    figures = made.fidelity
    assert figures.samples == 200
    assert (figures.float_accuracy == 1.0) if labelled else (figures.float_accuracy is None)
    assert notes == made.notes == get_notes(made.source.model)
    if spread == 1:
        assert figures.agreement > 0.97 and not notes
        return
    assert figures.agreement < 0.7
    assert ("100.0% in float32" if labelled else "changes the answer to") in notes[-1]
    assert [note for note in notes[:-1] if "16 bits" not in note] == []
    if labelled:
        assert figures.quantized_accuracy == figures.agreement < 0.7
        assert figures.quantized_loss == pytest.approx(evaluate(made.source.model, (x, y))["loss"])


def test_adapt_measures_the_float_model_it_quantizes():
    proto, data = uneven(3000.0)
    result = adapt(ir.from_proto(proto), data, steps=2)
    figures = result.quantization
    assert figures.samples == 160 and figures.float_accuracy == 1.0
    assert figures.quantized_accuracy < 0.7
    assert any("quantizing costs accuracy: 100.0% in float32" in note for note in result["notes"])
    quantized = quantize(ir.from_proto(proto), data)
    again = adapt(quantized, data, steps=2)
    assert "quantization" not in again
    assert any("quantizing costs accuracy" in note for note in again["notes"])


def test_a_failure_leaves_no_file(tmp_path):
    proto, data = uneven(1.0)
    for index, limit in enumerate((1e7, 1e30)):
        broken = onnx.ModelProto.FromString(proto.SerializeToString())
        weight = onnx.numpy_helper.to_array(broken.graph.initializer[0]) * np.float32(limit)
        broken.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
        out, program = tmp_path / f"{index}.onnx", tmp_path / f"{index}.sfp"
        with pytest.raises(StepforwardError):
            quantize_measured(ir.from_proto(broken), data, out=out, program_out=program)
    with pytest.raises(StepforwardError, match="cannot write"):
        quantize_measured(
            ir.from_proto(proto), data, out=tmp_path / "no" / "q.onnx", program_out=tmp_path / "q.sfp"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e6])
def test_weights_of_any_size_quantize_and_adapt_names_an_epsilon_that_works(size, tmp_path):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    weight = {
        "a": rng.normal(size=(8, 4)) * size,
        "b": rng.normal(size=(8, 8)) / size,
        "c": rng.normal(size=(3, 8)),
    }
    text = """<ir_version: 10, opset_import: ["": 21]>
        net (float[N,4] x) => (float[N,3] y) { h = Gemm<transB=1>(x, a)  r = Relu(h)  i = Gemm<transB=1>(r, b)
            s = Relu(i)  y = Gemm<transB=1>(s, c) }"""
    proto = onnx.parser.parse_model(text)
    for name, array in weight.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    hidden = np.maximum(np.maximum(x @ weight["a"].T, 0) @ weight["b"].T, 0)
    data = (x, (hidden @ weight["c"].T).argmax(axis=1))
    made = quantize_measured(ir.from_proto(proto), data)
    assert made.fidelity.agreement > 0.95
    inspected = inspect(made.program, sizes="absolute")
    assert bool(inspected["notes"]) == (
        size < 1
    )  # the last two layers move by their gradients, whatever their size
    if not inspected["notes"]:
        return
    options = PLAIN | {"epsilon": 3e-3, "lr": 2e-3}
    for _ in range(2 * len(made.program.parameters)):
        try:
            adapt(made.source.model, data, steps=1, **options)
            return
        except StepforwardError as error:
            name, value = re.search(r"use --(epsilon|lr) (\S+) or near it", error.remedy).groups()
            options[name] = float(value)
    raise AssertionError(options)
