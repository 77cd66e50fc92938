import numpy as np
import onnx
import pytest

from stepforward.errors import StepforwardError
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize


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
