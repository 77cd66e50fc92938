"""An int8 TensorFlow Lite file through the verbs: what they do with it, and what they refuse."""

import int8_runtimes
import numpy as np
import pytest

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from PIL import Image
from tflite_files import small

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source


def samples(count, seed):
    """Images (8, 8, 2) of three classes: stripes across, stripes down, and a checkerboard, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    rows, columns = np.indices((8, 8)) % 2
    patterns = np.stack([rows, columns, rows ^ columns])[y][..., None]
    x = 3 + 2 * patterns + rng.normal(0, 1.0, (count, 8, 8, 2))
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    draft, first, last = small()
    path = tmp_path_factory.mktemp("tflite") / "m.tflite"
    path.write_bytes(draft.content([first], [last]))
    return path


OPTIONS = {"steps": 60, "directions": 8, "batch": 32, "epsilon": 0.05, "lr": 0.05, "progress": False}


@pytest.fixture(scope="module")
def run(path):
    out = path.parent / "run"
    return sf.adapt(path, samples(120, 0), test=samples(90, 1), out=out, runtime="litert-ref", **OPTIONS)


def test_a_run_returns_the_file_with_other_integers(path, run):
    out = path.parent / "run"
    given, adapted = path.read_bytes(), (out / "adapted.tflite").read_bytes()
    assert len(given) == len(adapted) and given != adapted
    assert run.adapted_loss < run.zero_shot_loss
    assert (run.bits, run.settings["runtime"]) == ("8w8a", "litert-ref")
    assert run.settings["low_bits"] == "master"  # whose scales stay
    assert not (out / "adapted.onnx").exists() and (out / "adapted.sfp").exists()
    assert "not matched first: the scales of a TensorFlow Lite file stay as they are" in run.notes


def test_the_runtime_computes_the_logits_that_were_measured(path, run):
    opened = open_source(path.parent / "run" / "adapted.tflite", runtime="litert-ref")
    names = [tensor.name for tensor in opened.model.tensors]
    cut = int8_runtimes.with_outputs(opened.model, [names.index("logits")])
    go = int8_runtimes.runtime("litert-ref")(cut)
    x, y = samples(90, 1)
    integers = np.clip(np.floor(x / np.float32(0.05) + 0.5) - 128, -128, 127).astype(np.int8)
    theirs = np.stack([go(sample)[0] for sample in integers])
    assert np.array_equal(theirs, logits_of(CoreEngine(lower(opened.network())), integers))
    assert (theirs.argmax(axis=1) == y).mean() == run.adapted_accuracy
    measured = sf.evaluate(opened, (x, y))
    assert (measured["accuracy"], measured["loss"]) == (run.adapted_accuracy, run.adapted_loss)


def test_a_journal_gives_the_same_file(path, run, tmp_path):
    sf.replay(path, path.parent / "run" / "journal", out=tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == (path.parent / "run" / "adapted.tflite").read_bytes()
    run.save(tmp_path / "saved.tflite")
    assert (tmp_path / "saved.tflite").read_bytes() == (tmp_path / "again.tflite").read_bytes()
    with pytest.raises(StepforwardError, match="other settings: runtime 'litert-ref' there, 'tflm' now"):
        sf.adapt(path, samples(120, 0), out=path.parent / "run", resume=True, **OPTIONS)


def test_inspect_names_the_runtime(path):
    found = sf.inspect(path, runtime="litert")
    assert (found["runtime"], found["input_shape"], found["bits"]) == ("litert", [8, 8, 2], "8w8a")
    assert sf.inspect(path)["runtime"] == "tflm"


def test_check_says_what_it_needs_or_what_stands_in_the_way(path, tmp_path):
    found = sf.check(path)
    assert (found["supported"], found["input_shape"], found["outputs"]) == (True, [8, 8, 2], 3)
    draft, first, last = small()
    draft.operators[2] = ("CUSTOM_THING", *draft.operators[2][1:])
    (tmp_path / "m.tflite").write_bytes(draft.content([first], [last]))
    found = sf.check(tmp_path / "m.tflite")
    assert not found["supported"] and "custom CUSTOM_THING 2 (sum)" in found["problems"][0]["what"]


def test_predict_reads_samples_as_the_file_does(path):
    found = sf.predict(path, samples(2, 3)[0], classes=["across", "down", "both"])
    assert len(found) == 2 and found[0]["class"] in ("across", "down", "both")


@pytest.mark.parametrize(
    "options, why",
    [
        ({"method": "match"}, "--method match changes scales"),
        ({"head_start": "means"}, "--head-start changes scales"),
        ({"low_bits": "master-2"}, "as another runtime does, and its scales stay as they are"),
        ({"method": "backprop"}, "needs a float model"),
        ({"bits": "4w8a"}, "quantized already .8w8a."),
        ({"runtime": "tflite"}, "runtime = 'tflite'"),
        ({"input_shape": "2,8,8"}, r"reads samples of shape \(8, 8, 2\)"),
    ],
)
def test_what_makes_no_sense_is_refused(path, options, why):
    if options.get("method") == "backprop":
        pytest.importorskip("torch")
    with pytest.raises(StepforwardError, match=why):
        sf.adapt(path, samples(30, 0), progress=False, **options)


@pytest.mark.parametrize(
    "scale, zero_point, said",
    [
        (1.0, -128, "from the range of its input, pixels become 0 to 255 (scale=255)"),
        (1 / 127.5, -1, "from the range of its input, pixels become -1 to 1 (mean=0.5, std=0.5)"),
        (1 / 255, -128, "pixels are divided by 255"),
    ],
)
def test_the_range_of_the_input_says_how_images_are_read(tmp_path, scale, zero_point, said):
    draft, first, last = small(channels=3, scale=scale, zero_point=zero_point)
    (tmp_path / "m.tflite").write_bytes(draft.content([first], [last]))
    for name in "abc":
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((8, 8, 3), 60 + 50 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    found = sf.evaluate(tmp_path / "m.tflite", tmp_path / "data")
    assert any(said in note for note in found["notes"])
    assert found["class_names"] == ["a", "b", "c"]


def test_a_stream_does_not_match_it_either(path):
    with pytest.raises(StepforwardError, match="--follow changes scales"):
        sf.evaluate(path, samples(30, 0), follow=True)
