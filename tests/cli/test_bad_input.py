"""What bad input gets: one message naming the thing and the remedy, exit code 2, and nothing changed on disk."""

import json
import shutil
import struct
import sys

import numpy as np
import onnx
import pytest
import soundfile
import stripes
from onnx import helper

from stepforward.cli.main import main


@pytest.fixture
def refuse(run_json, tmp_path):
    """Run a command that must be refused; returns its message, error and remedy together."""

    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def command(*words) -> str:
        before = files()
        code, answer = run_json(*words)
        assert code == 2
        assert set(answer) == {"error", "remedy"}
        assert answer["error"]
        assert answer["remedy"]
        assert files() == before, "nothing was written, nothing lost"
        return f"{answer['error']}\n{answer['remedy']}"

    return command


def save_arrays(path, **changes):
    np.savez(path, **(stripes.arrays(range(8)) | changes))
    return path


# ---- data


def test_samples_of_the_wrong_shape(refuse, task, tmp_path):
    x = np.zeros((6, 1, 8, 9), np.float32)
    data = save_arrays(tmp_path / "wide.npz", x=x, y=np.arange(6) % 3)
    for command in ("adapt", "evaluate"):
        assert "8, 9" in refuse(command, task.model, "--data", data)


def test_samples_of_the_wrong_type(refuse, task, tmp_path):
    data = save_arrays(tmp_path / "text.npz", x=np.full((6, 1, 8, 8), "a"), y=np.arange(6) % 3)
    assert "text.npz" in refuse("adapt", task.model, "--data", data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(refuse, task, tmp_path, value):
    x = stripes.arrays(range(8))["x"]
    x[5, 0, 3, 3] = value
    message = refuse("adapt", task.model, "--data", save_arrays(tmp_path / "hole.npz", x=x))
    assert "NaN or Inf" in message
    assert "5" in message


def test_a_label_beyond_the_classes(refuse, task, tmp_path):
    data = save_arrays(tmp_path / "labels.npz", y=np.full(24, 3))
    assert "3" in refuse("evaluate", task.model, "--data", data)


def test_an_empty_class(refuse, task, tmp_path):
    data = shutil.copytree(task.data, tmp_path / "data")
    for file in (data / "vertical").iterdir():
        file.unlink()
    assert "vertical" in refuse("adapt", task.model, "--data", data)


def test_one_class_only(refuse, task, tmp_path):
    data = shutil.copytree(task.data / "vertical", tmp_path / "data" / "vertical").parent
    assert "one class only" in refuse("adapt", task.model, "--data", data)


def test_one_sample_of_each_class(refuse, task, tmp_path):
    data = tmp_path / "data"
    for name in ("vertical", "squares"):
        (data / name).mkdir(parents=True)
        shutil.copy(task.data / name / "00.png", data / name)
    assert "every class has one sample only" in refuse("adapt", task.model, "--data", data)


def test_an_unknown_class_in_the_test_data(refuse, task, tmp_path):
    test = stripes.write_folder(tmp_path / "test", range(2), ["horizontal", "vertical", "circles"])
    message = refuse("adapt", task.model, "--data", task.data, "--test", test)
    assert "circles" in message
    assert "squares" in message, "the model's classes are listed"


def test_a_corrupt_image_among_good_ones(refuse, task, tmp_path):
    data = shutil.copytree(task.data, tmp_path / "data")
    bad = data / "squares" / "03.png"
    bad.write_bytes(bad.read_bytes()[:40])
    assert "03.png" in refuse("adapt", task.model, "--data", data)


def test_a_corrupt_sound_among_good_ones(refuse, tmp_path):
    sounds = {"kind": "log_mel", "sample_rate": 8000, "samples": 1024, "window": 256, "hop": 128, "fft": 256}
    sounds |= {"mels": 8, "fmin": 20.0, "fmax": 4000.0, "mean": 0.0, "std": 1.0, "floor": 1e-6}
    onnx.save(stripes.network(preprocessing=sounds), tmp_path / "model.onnx")
    wave = np.sin(np.arange(1024)).astype(np.float32)
    for name in stripes.NAMES:
        (tmp_path / "data" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "data" / name / "a.wav", wave, 8000)
    bad = tmp_path / "data" / "vertical" / "b.wav"
    bad.write_bytes(b"RIFF" + bytes(20))
    assert "b.wav" in refuse("adapt", tmp_path / "model.onnx", "--data", tmp_path / "data")


def test_a_csv_with_a_missing_file(refuse, task, tmp_path):
    (tmp_path / "list.csv").write_text("path,label\nnowhere.png,vertical\n")
    message = refuse("adapt", task.model, "--data", tmp_path / "list.csv")
    assert "nowhere.png" in message
    assert "line 2" in message


@pytest.mark.parametrize("name", ["missing", "missing.npz", "missing.csv"])
def test_data_that_is_not_there(refuse, task, name):
    assert name in refuse("adapt", task.model, "--data", name)


def test_a_file_that_is_no_data(refuse, task, tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4" + bytes(50))
    assert "broken.npz" in refuse("adapt", task.model, "--data", tmp_path / "broken.npz")


# ---- models


def save(model, path):
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers(refuse, task, tmp_path, value):
    weight = np.ones((3, 64), np.float32)
    weight[1, 1] = value
    model = save(stripes.network(**{"head.weight": weight}), tmp_path / "bad.onnx")
    assert "head.weight" in refuse("adapt", model, "--data", task.data)


def test_an_unsupported_operator(refuse, task, tmp_path):
    model = stripes.network()
    model.graph.node[1].CopyFrom(helper.make_node("Hardmax", ["a"], ["b"], "odd_one"))
    message = refuse("adapt", save(model, tmp_path / "hardmax.onnx"), "--data", task.data)
    assert "Hardmax" in message
    assert "odd_one" in message


def test_an_opset_too_old(refuse, task, tmp_path):
    model = save(stripes.network(opset=6), tmp_path / "old.onnx")
    assert "opset 6" in refuse("adapt", model, "--data", task.data)


def test_a_dynamic_axis_other_than_the_batch(refuse, task, tmp_path):
    model = stripes.network(preprocessing=None)
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "width"
    assert "width" in refuse("adapt", save(model, tmp_path / "loose.onnx"), "--data", task.data)


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_model_that_is_none(refuse, task, tmp_path, content):
    whole = task.model.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    for words in (
        ("adapt", path, "--data", task.data),
        ("evaluate", path, "--data", task.data),
        ("inspect", path),
    ):
        assert "cut.onnx" in refuse(*words)


def test_a_model_that_is_not_there(refuse, task):
    assert "nowhere.onnx" in refuse("adapt", "nowhere.onnx", "--data", task.data)
    assert "nowhere.sfp" in refuse("inspect", "nowhere.sfp")


def test_a_quantized_model_quantized_again(refuse, task):
    assert "give the float model" in refuse("quantize", task.model, "--data", task.data, "--out", "q.onnx")


def test_a_float_model_where_a_quantized_one_is_needed(refuse, task):
    assert "quantize" in refuse("inspect", task.float_model)


# ---- programs and journals


@pytest.fixture(scope="module")
def a_run(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert (
        main(["adapt", str(task.model), "--data", str(task.data), "--steps", "20", "--out", str(folder)]) == 0
    )
    return folder


@pytest.fixture
def finished(a_run, tmp_path):
    """A folder with a finished run."""
    return shutil.copytree(a_run, tmp_path / "run")


def test_damaged_programs(refuse, finished):
    path = finished / "adapted.sfp"
    whole = path.read_bytes()
    for damaged in (
        whole[:50],
        whole[:-1],
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        b"",
        b"SFP2",
    ):
        path.write_bytes(damaged)
        assert "adapted.sfp" in refuse("inspect", path)


def test_damaged_journals(refuse, task, finished):
    path = finished / "journal"
    whole = path.read_bytes()
    for damaged in (whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:], whole[:30], b"", b"SFJ2"):
        path.write_bytes(damaged)
        assert "journal" in refuse("replay", task.model, path)


def test_a_journal_of_another_base_model(refuse, run, task, finished, tmp_path):
    other = save(stripes.network(**{"head.bias": np.ones(3, np.float32)}), tmp_path / "other_float.onnx")
    assert run("quantize", other, "--data", task.data, "--out", tmp_path / "other.onnx")[0] == 0
    assert "another base model" in refuse(
        "replay", tmp_path / "other.onnx", finished / "journal", "--out", "x.onnx"
    )


def test_the_journal_of_an_unfinished_run(refuse, task, finished):
    path = finished / "journal"
    path.write_bytes(path.read_bytes()[:-11])
    assert "--resume" in refuse("replay", task.model, path)


# ---- settings


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--steps", "5", "--minutes", "1"), "--minutes"),
        (("--steps", "0"), "steps"),
        (("--minutes", "-1"), "minutes"),
        (("--epsilon", "0", "--sizes", "absolute"), "epsilon"),
        (("--lr", "nan"), "lr = nan"),
        (("--batch", "0"), "batch"),
        (("--directions", "256"), "directions"),
        (("--temperature", "0"), "temperature"),
        (("--momentum", "1"), "momentum"),
        (("--seed", "-1"), "seed"),
        (("--validation", "1"), "validation"),
        (("--distribution", "cauchy"), "cauchy"),
        (("--perturbation", "some"), "some"),
        (("--rounding", "up"), "up"),
        (("--schedule", "step"), "step"),
        (("--method", "magic"), "magic"),
        (("--train", "tail.*"), "tail.*"),
        (("--train", "last:9"), "last:9"),
        (("--threads", "0"), "threads"),
        (("--resume",), "--out"),
        (("--steps", "many"), "--steps"),
        (("--unknown", "1"), "--unknown"),
    ],
)
def test_settings_that_make_no_sense(refuse, task, words, named):
    assert named in refuse("adapt", task.model, "--data", task.data, *words)


@pytest.mark.parametrize("bits", ["12w8a", "16w4a", "lots"])
def test_formats_that_do_not_exist(refuse, task, bits):
    refuse("adapt", task.float_model, "--data", task.data, "--bits", bits)
    refuse("quantize", task.float_model, "--data", task.data, "--out", "q.onnx", "--bits", bits)


def test_a_missing_argument_or_command(refuse):
    assert "MODEL" in refuse("adapt")
    assert "nonsense" in refuse("nonsense")


# ---- places to write


def test_a_run_is_never_overwritten(refuse, task, finished):
    assert "already holds a run" in refuse("adapt", task.model, "--data", task.data, "--out", finished)


def test_resuming_with_other_settings_or_without_a_run(refuse, task, finished):
    words = ("adapt", task.model, "--data", task.data, "--resume")
    assert "other settings" in refuse(*words, "--out", finished, "--steps", "20", "--seed", "5")
    assert "no journal" in refuse(*words, "--out", "elsewhere")


def test_a_place_that_cannot_be_written(refuse, task, finished, tmp_path):
    (tmp_path / "file").write_text("in the way")
    inside = tmp_path / "file" / "x"
    assert str(inside) in refuse("adapt", task.model, "--data", task.data, "--out", inside)
    assert "file" in refuse("quantize", task.float_model, "--data", task.data, "--out", inside)
    assert "file" in refuse("replay", task.model, finished / "journal", "--out", inside)


def test_a_full_disk(refuse, task, finished, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for words in (
        ("quantize", task.float_model, "--data", task.data, "--out", "q.onnx"),
        ("replay", task.model, finished / "journal", "--out", "again.onnx"),
    ):
        assert "No space left" in refuse(*words)


def test_messages_are_for_people_too(run, task):
    code, out, err = run("evaluate", task.model, "--data", "nowhere")
    assert (code, out) == (2, "")
    assert "nowhere" in err
    assert "Traceback" not in err


def test_a_bug_shows_its_traceback(run, run_json, task, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(sys.modules["stepforward.verbs.evaluate"], "evaluate", broken)
    code, _, err = run("evaluate", task.model, "--data", task.data)
    assert code == 70
    assert "Traceback" in err
    code, answer = run_json("evaluate", task.model, "--data", task.data)
    assert code == 70
    assert "oops" in answer["error"]


def test_json_holds_no_number_that_json_has_not():
    from stepforward.cli.outcome import json_line

    content = {
        "loss": float("nan"),
        "list": (np.float32(0.5), np.arange(2), float("inf")),
        "name": "\ud800é\n",
    }
    assert json.loads(json_line(content)) == {"loss": None, "list": [0.5, [0, 1], None], "name": "\ud800é\n"}
    assert json_line(content).isascii()


def test_the_length_field_of_a_program_is_not_believed(refuse, finished):
    path = finished / "adapted.sfp"
    whole = bytearray(path.read_bytes())
    struct.pack_into("<I", whole, 52, 0xFFFFFFFF)
    path.write_bytes(whole)
    refuse("inspect", path)
