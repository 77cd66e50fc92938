"""A float TensorFlow Lite file through the verbs and the command line: quantized, adapted, and returned as ONNX."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from tflite_files import floats

import stepforward as sf
from stepforward.cli.main import main
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.sources.open import open_source

DATA = Path(os.environ.get("STEPFORWARD_DATA", Path(__file__).parents[3] / "shared" / "data"))
OPTIONS = {"steps": 40, "directions": 8, "batch": 32, "progress": False}


def samples(count, seed):
    """Images (8, 8, 2) of three classes: stripes across, stripes down, and a checkerboard, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    rows, columns = np.indices((8, 8)) % 2
    patterns = np.stack([rows, columns, rows ^ columns])[y][..., None]
    return (patterns + rng.normal(0, 0.3, (count, 8, 8, 2))).astype(np.float32), y


def same_weights(*paths):
    one, other = (network_weights(lower(open_source(path).network())) for path in paths)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    draft = floats().then("SOFTMAX", (1, 3), Beta=1.0)
    path = tmp_path_factory.mktemp("tflite") / "m.tflite"
    path.write_bytes(draft.done())
    return path


def test_a_run_returns_an_onnx_file_that_reads_samples_as_before(path):
    out = path.parent / "run"
    found = sf.adapt(path, samples(90, 0), test=samples(60, 1), out=out, **OPTIONS)
    assert found.adapted_loss < found.zero_shot_loss
    assert any("no integers to keep: what comes back is an ONNX file" in note for note in found.notes)
    adapted = open_source(out / "adapted.onnx")
    assert (adapted.input_shape, adapted.channels_last, adapted.outputs) == ((8, 8, 2), True, 3)
    measured = sf.evaluate(out / "adapted.onnx", samples(60, 1))
    assert (measured["accuracy"], measured["loss"]) == (found.adapted_accuracy, found.adapted_loss)
    sf.replay(out / "base.onnx", out / "journal", out=out / "again.onnx")
    assert same_weights(out / "again.onnx", out / "adapted.onnx")


def test_check_takes_it_as_a_float_model(path):
    found = sf.check(path)
    assert (found["supported"], found["bits"], found["input_shape"]) == (True, "float32", [8, 8, 2])


@pytest.mark.parametrize(
    "options, why", [({"runtime": "tflm"}, "leave --runtime out"), ({"input_shape": "2,8,8"}, "does not fit")]
)
def test_what_makes_no_sense_is_refused(path, options, why):
    with pytest.raises(StepforwardError, match=why):
        sf.adapt(path, samples(30, 0), progress=False, **options)


def test_an_onnx_file_is_not_called_tflite(path, tmp_path):
    with pytest.raises(StepforwardError, match="would be an ONNX file"):
        sf.quantize(path, samples(30, 0), out=tmp_path / "m.tflite")
    assert not (tmp_path / "m.tflite").exists()


def test_a_published_file_is_adapted_from_the_command_line(tmp_path, monkeypatch, capfd):
    path = DATA / "pretrained" / "mlperf_tiny" / "kws_dscnn_float.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there (set STEPFORWARD_DATA)")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.arange(48) % 12
    centres = rng.normal(0, 20, (12, 49, 10, 1))
    np.savez("words.npz", x=(centres[y] + rng.normal(0, 5, (48, 49, 10, 1))).astype(np.float32), y=y)
    words = ["--data", "words.npz", "--out", "run", "--train", "head", "--steps", "4", "--json"]
    assert main(["adapt", str(path), *words]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["bits"] == "16w8a" and open_source("run/adapted.onnx").input_shape == (49, 10, 1)
    again = ["replay", "run/base.onnx", "run/journal", "--out", "again.onnx"]
    assert main(again) == 0
    assert same_weights("again.onnx", "run/adapted.onnx")
