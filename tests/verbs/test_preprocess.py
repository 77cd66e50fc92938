"""A function of the caller's in place of what the model says of preprocessing, in every verb that reads data."""

import json

import numpy as np
import pytest
from onnx_graphs import parse, ramp

from stepforward.cli.main import main
from stepforward.errors import StepforwardError
from stepforward.graph.metadata import set_class_names, set_preprocessing
from stepforward.sources.onnx.file import load_onnx, save_onnx
from stepforward.verbs.evaluate import evaluate

STEPS = """
import numpy as np

def prepare(path):
    with open(path) as file:
        return np.array(file.read().split(), dtype=np.float32).reshape(1, 4, 4)
"""


@pytest.fixture
def task(tmp_path, monkeypatch):
    model = parse("f = Flatten(x)\ny = Gemm<transB = 1>(f, w, b)", "N,1,4,4", "N,2", w=ramp(2, 16), b=ramp(2))
    set_class_names(model, ["cat", "dog"])
    save_onnx(model, tmp_path / "net.onnx")
    (tmp_path / "steps_of_a_test.py").write_text(STEPS)
    for name, value in (("cat", -1), ("dog", 1)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for take in range(4):
            values = " ".join(f"{value * (take + cell)}" for cell in range(16))
            (tmp_path / "data" / name / f"{take}.txt").write_text(values)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "evaluate net.onnx --data data",
        "quantize net.onnx --data data --out q.onnx",
        "adapt net.onnx --data data --steps 2 --out run",
        "predict net.onnx data/cat/0.txt",
    ],
)
def test_every_verb_takes_it(task, words):
    assert main([*words.split(), "--preprocess", "steps_of_a_test:prepare"]) == 0
    if words.startswith("adapt"):
        result = json.loads((task / "run" / "result.json").read_text())
        assert result["preprocess"] == "steps_of_a_test:prepare"
        assert "--preprocess steps_of_a_test:prepare" in (task / "run" / "report.html").read_text()


def test_in_python_it_is_a_function(task):
    def prepare(path):
        with open(path) as file:
            return np.array(file.read().split(), dtype=np.float32).reshape(1, 4, 4)

    assert evaluate("net.onnx", "data", preprocess=prepare)["count"] == 8


def test_no_model_file_names_one(task):
    model = load_onnx("net.onnx")
    set_preprocessing(model, {"kind": "function", "function": "steps_of_a_test:prepare", "shape": [1, 4, 4]})
    save_onnx(model, "hostile.onnx")
    with pytest.raises(StepforwardError, match="kind is 'function'"):
        evaluate("hostile.onnx", "data")
