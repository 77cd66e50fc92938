"""What `adapt` gives back without a run folder: figures and the network itself."""

import io
import json
import sys

import matplotlib.figure
import numpy as np
import pytest

import stepforward as sf
from stepforward.errors import StepforwardError
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.inspect import inspect
from stepforward.verbs.predict import predict


@pytest.fixture(scope="module")
def result(task):
    return adapt(task.model, task.data, test=task.test, steps=150, lr=3e-3, momentum=0.9, directions=2)


def test_it_is_the_mapping_that_result_json_holds(result):
    assert result["adapted_accuracy"] > result["zero_shot_accuracy"]
    assert result["adapted_accuracy"] == result.adapted_accuracy == result.get("adapted_accuracy")
    assert {**result} == result
    assert json.loads(json.dumps(dict(result))) == result
    assert not {"program", "source", "for_good"} & set(result)


def test_it_saves_the_adapted_network(result, task, tmp_path):
    result.save(tmp_path / "mine.onnx")
    result.save(tmp_path / "mine.sfp")
    measured = evaluate(tmp_path / "mine.onnx", task.test)
    assert (measured["accuracy"], measured["weights_sha256"]) == (
        result["adapted_accuracy"],
        result["weights_sha256"],
    )
    assert inspect(tmp_path / "mine.sfp")["weights_sha256"] == result["weights_sha256"]
    with pytest.raises(StepforwardError, match=r"mine\.pt"):
        result.save(tmp_path / "mine.pt")
    assert not (tmp_path / "mine.pt").exists()


def test_it_predicts_with_the_adapted_network(result, task, tmp_path):
    x, y = task.test
    named = result.predict(x)
    right = sum(found["class"] == result["class_names"][label] for found, label in zip(named, y, strict=True))
    assert right / len(y) == result["adapted_accuracy"]
    result.save(tmp_path / "mine.onnx")
    assert named == predict(tmp_path / "mine.onnx", x)


def test_it_shows_itself_as_a_table(result):
    text, html = repr(result), result._repr_html_()
    for shown in (text, html):
        assert "zero-shot" in shown
        assert "adapted" in shown
    assert len(text.splitlines()) < 25
    assert html.startswith("<pre")


def test_it_draws_its_curve(result, tmp_path):
    figure = result.plot()
    assert isinstance(figure, matplotlib.figure.Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 1000


def test_backpropagation_gives_a_float_network_without_a_program(task, tmp_path):
    pytest.importorskip("torch")
    result = adapt(task.float_model, task.data, method="backprop", steps=3)
    result.save(tmp_path / "mine.onnx")
    assert evaluate(tmp_path / "mine.onnx", task.test)["bits"] == "float32"
    with pytest.raises(StepforwardError, match="no program"):
        result.save(tmp_path / "mine.sfp")


def test_python_is_quiet_where_nobody_watches(task, capfd):
    adapt(task.model, task.data, steps=2)
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_unless_told_otherwise(task, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = []
    for options in ({}, {"progress": False}, {"on_progress": lambda event: None}):
        monkeypatch.setattr(sys, "stderr", Terminal())
        adapt(task.model, task.data, steps=2, **options)
        shown.append(sys.stderr.getvalue())
    assert "2/2" in shown[0]
    assert shown[1:] == ["", ""]


def test_a_notebook_gets_one_line_that_changes(task, monkeypatch):
    class Handle:
        lines = ()

        def update(self, content, *, raw):
            assert raw
            Handle.lines += (content["text/plain"],)

    class Display:
        @staticmethod
        def display(content, *, raw, display_id):
            assert raw
            assert display_id
            return Handle()

    monkeypatch.setitem(sys.modules, "IPython.display", Display)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    adapt(task.model, task.data, steps=3)
    assert Handle.lines[-1].startswith("step 3/3")


def test_metadata_is_checked_when_it_is_written(task):
    model = sf.load_onnx(task.float_model)
    sf.set_class_names(model, ["a", "b", "c"])
    good = {"kind": "image", "height": 8, "width": 8, "channels": 1, "mean": [0.5], "std": [0.25]}
    sf.set_preprocessing(model, good)
    before = dict(model.metadata_props)
    for names in (["a", "b"], ["a", "b", ""], ["a", "a", "b"]):
        with pytest.raises(StepforwardError):
            sf.set_class_names(model, names)
    for change in ({"kind": "picture"}, {"mean": [0.5, 0.5]}, {"std": [0]}, {"width": 9}, {"men": [1]}):
        with pytest.raises(StepforwardError):
            sf.set_preprocessing(model, good | change)
    assert dict(model.metadata_props) == before


def test_predicted_probabilities_sum_to_one(result, task):
    found = result.predict(task.test[0][:2], top=3)
    assert np.allclose([sum(entry["probability"] for entry in sample["top"]) for sample in found], 1)
