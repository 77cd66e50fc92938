"""Pipes and devices in the place of files: refused at once, never read."""

import os
import signal

import onnx
import pytest
import stripes


@pytest.fixture(autouse=True)
def ten_seconds():
    def late(*_):
        raise TimeoutError("a pipe is being read")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def commands(task, path):
    """Every command that is given `path` to read, by a name that says as what."""
    return {
        "model.onnx": [("inspect", path), ("quantize", path, "--data", task.data, "--out", "out.onnx")],
        "program.sfp": [("inspect", path)],
        "data.npz": [("evaluate", task.model, "--data", path), ("predict", task.model, path)],
        "data.csv": [("evaluate", task.model, "--data", path)],
        "image.png": [("predict", task.model, path)],
        "journal": [("replay", task.model, path)],
    }[path.name]


@pytest.mark.parametrize(
    "name", ["model.onnx", "program.sfp", "data.npz", "data.csv", "image.png", "journal"]
)
def test_a_pipe_or_a_device_is_refused(run_json, task, tmp_path, name):
    path = tmp_path / name
    for make in (os.mkfifo, lambda path: os.symlink("/dev/zero", path)):
        make(path)
        for words in commands(task, path):
            code, answer = run_json(*words)
            assert code == 2
            assert "a pipe, a device or a socket" in answer["error"]
            assert name in answer["error"]
        path.unlink()


def test_a_pipe_among_images_is_not_read(run_json, task, tmp_path):
    data = stripes.write_folder(tmp_path / "data", range(2))
    os.mkfifo(data / "vertical" / "pipe.png")
    (tmp_path / "list.csv").write_text("data/vertical/pipe.png,vertical\n")
    assert run_json("evaluate", task.model, "--data", data)[0] == 0
    code, answer = run_json("evaluate", task.model, "--data", tmp_path / "list.csv")
    assert code == 2 and "pipe.png" in answer["error"]


def test_a_pipe_in_a_run_folder(run_json, task, tmp_path):
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "journal")
    words = ("adapt", task.model, "--data", task.data, "--out", tmp_path / "run", "--resume")
    code, answer = run_json(*words)
    assert code == 2 and "a pipe" in answer["error"]


@pytest.mark.parametrize("place", ["../outside", "/etc/hostname", "pipe", "zero", ""])
def test_weights_outside_the_model_file_stay_inside_its_folder(run_json, task, tmp_path, place):
    (tmp_path / "outside").write_bytes(bytes(144))
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe")
    (tmp_path / "in" / "zero").symlink_to("/dev/zero")
    model = stripes.network()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", place
    (tmp_path / "in" / "model.onnx").write_bytes(model.SerializeToString())
    code, answer = run_json("evaluate", tmp_path / "in" / "model.onnx", "--data", task.data)
    assert code == 2 and "model.onnx" in answer["error"]


@pytest.mark.parametrize("key", ["stepforward.class_names", "stepforward.preprocessing"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"kind":' * 1000 + "1" + "}" * 1000, '["\\ud800"]', "NaN"])
def test_hostile_metadata_of_a_model(run_json, task, tmp_path, key, text):
    model = stripes.network()
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = text
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    code, answer = run_json("evaluate", tmp_path / "model.onnx", "--data", task.data)
    assert code == 2 and key in answer["error"]


def test_a_model_cannot_name_a_function_to_run(run_json, task, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for settings in (
        '{"kind": "function", "function": "evil:run", "shape": [1, 8, 8]}',
        '{"kind": "image", "function": "evil:run"}',
    ):
        model = stripes.network()
        for entry in model.metadata_props:
            if entry.key == "stepforward.preprocessing":
                entry.value = settings
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        for words in (
            ("evaluate", tmp_path / "model.onnx", "--data", task.data),
            ("predict", tmp_path / "model.onnx", next(task.data.rglob("*.png"))),
            ("adapt", tmp_path / "model.onnx", "--data", task.data),
        ):
            code, answer = run_json(*words)
            assert code == 2
            assert "preprocessing" in answer["error"]
