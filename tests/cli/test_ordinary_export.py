"""A model file without any metadata of ours, as an ordinary export writes it, and folders of files."""

import json
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import stripes

from stepforward.graph.metadata import get_class_names, get_preprocessing
from stepforward.run.given import image_settings
from stepforward.sources.onnx.file import load_onnx
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize

NAMES = ["a horizontal", "b vertical", "c squares"]  # sorted order is the order of the logits
SCALING = "mean=0.5,std=0.25"


@pytest.fixture
def plain(tmp_path) -> Path:
    model = stripes.network()
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "plain.onnx")
    return tmp_path / "plain.onnx"


@pytest.fixture
def images(tmp_path) -> Path:
    return stripes.write_folder(tmp_path / "images", range(8), NAMES)


def test_every_verb_takes_it_and_says_what_it_assumed(run_json, plain, images):
    for command in ("evaluate", "quantize", "adapt"):
        more = {"quantize": ("--out", "q.onnx"), "adapt": ("--steps", "2")}.get(command, ())
        code, result = run_json(command, plain, "--data", images, *more)
        assert code == 0
        assert result["class_names"] == NAMES
        assert any("sorted order: a horizontal, b vertical, c squares" in note for note in result["notes"])
        assert any("divided by 255" in note for note in result["notes"])


def test_the_file_that_quantize_writes_needs_no_more_words(run_json, task, plain, images):
    given = ("--classes", ",".join(stripes.NAMES), "--image", SCALING)
    code, result = run_json("quantize", plain, "--data", task.data, "--out", "q.onnx", *given)
    assert (code, result["notes"]) == (0, [])
    code, measured = run_json("evaluate", "q.onnx", "--data", task.test)
    _, with_metadata = run_json("evaluate", task.model, "--data", task.test)
    assert measured["confusion"] == with_metadata["confusion"]
    assert measured["weights_sha256"] == with_metadata["weights_sha256"]


def test_the_line_that_fixes_it_for_good_does(run_json, plain, images):
    _, result = run_json("evaluate", plain, "--data", images)
    program, *words = shlex.split(result["for_good"])
    assert program == "stepforward"
    code, _ = run_json(*words)
    assert code == 0
    model = load_onnx(words[words.index("--out") + 1])
    assert get_class_names(model) == NAMES
    assert get_preprocessing(model) == image_settings({}, (1, 8, 8))


def test_that_line_opens_the_model_as_it_was_opened(run_json, plain, images):
    model = onnx.load(plain)
    model.graph.output.append(onnx.helper.make_tensor_value_info("d", onnx.TensorProto.FLOAT, ["batch", 64]))
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"
    onnx.save(model, plain)
    _, result = run_json("evaluate", plain, "--data", images, "--output", "scores")
    words = shlex.split(result["for_good"])
    assert words[3:5] == ["--output", "scores"]
    assert run_json(*words[1:])[0] == 0
    assert len(load_onnx(words[words.index("--out") + 1]).graph.outputs) == 2


def test_the_adapted_model_carries_what_was_assumed(run_json, plain, images):
    run_json("adapt", plain, "--data", images, "--steps", "2", "--out", "run")
    assert "for_good" in json.loads(Path("run/result.json").read_text())
    code, result = run_json("evaluate", "run/adapted.onnx", "--data", images)
    assert (code, result["class_names"]) == (0, NAMES)


def test_the_printed_command_makes_the_same_run(run_json, plain, images, task):
    from made_up_result import of_entries

    from stepforward.report.command import command_line

    given = ("--classes", "horizontal,vertical,squares", "--image", SCALING)
    _, result = run_json("adapt", plain, "--data", task.data, "--steps", "2", "--out", "run", *given)
    _program, *words = shlex.split(command_line(of_entries(result)))
    _, again = run_json(*words, "--out", "again")
    assert again["weights_sha256"] == result["weights_sha256"]


def test_python_takes_the_same_words(plain, task):
    words = {"classes": stripes.NAMES, "image": {"mean": 0.5, "std": 0.25}}
    model = quantize(plain, task.data, **words)
    assert get_class_names(model) == stripes.NAMES
    right = evaluate(task.float_model, task.test)
    assert evaluate(plain, task.test, **words)["confusion"] == right["confusion"]
    assert adapt(plain, task.data, steps=2, **words)["class_names"] == stripes.NAMES


def test_fewer_folders_than_logits(run_json, plain, tmp_path):
    two = stripes.write_folder(tmp_path / "two", range(4), ["a", "b"])
    code, answer = run_json("evaluate", plain, "--data", two)
    assert code == 2
    assert "2 classes (a, b), the network has 3 outputs" in answer["error"]
    assert "--classes" in answer["remedy"]
    code, result = run_json("evaluate", plain, "--data", two, "--classes", "a,b,c")
    assert (code, result["count"]) == (0, 8)


def test_folders_named_by_number_are_the_logits(run_json, plain, tmp_path):
    numbered = stripes.write_folder(tmp_path / "numbered", range(4), ["0", "1", "2"])
    code, result = run_json("evaluate", plain, "--data", numbered, "--image", SCALING)
    assert (code, result["notes"], result["class_names"]) == (0, [], ["0", "1", "2"])


def test_wrong_words_are_refused_before_any_work(run_json, plain, images, task):
    for words, said in (
        (("--classes", "a,b"), "2 class names are given"),
        (("--image", "mean=x"), "mean"),
        (("--image", "men=0"), "men"),
    ):
        code, answer = run_json("adapt", plain, "--data", images, *words)
        assert code == 2
        assert said in answer["error"]
    code, answer = run_json("evaluate", task.model, "--data", task.data, "--image", "mean=0.1")
    assert code == 2
    assert "quantize" in answer["remedy"]


def test_a_network_that_does_not_recognise_the_images_says_what_may_be_wrong(run_json, plain, tmp_path):
    wrong = stripes.write_folder(tmp_path / "wrong", range(8), ["z", "a", "m"])  # sorted: another order
    _, result = run_json("adapt", plain, "--data", wrong, "--steps", "1", "--image", "mean=9")
    assert any("another order of classes" in note for note in result["notes"])


def test_sounds_need_settings_that_nobody_can_guess(run_json, plain, tmp_path):
    for name in "abc":
        (tmp_path / "sounds" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "sounds" / name / "1.wav", np.zeros(800), 8000)
    code, answer = run_json("adapt", plain, "--data", tmp_path / "sounds")
    assert code == 2
    assert "sounds" in answer["error"]
    assert "set_preprocessing" in answer["remedy"]
