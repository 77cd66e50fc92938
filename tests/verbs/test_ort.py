"""An int8 ONNX file of another tool through the verbs: what they do with it, and what they refuse."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

from ort_files import float_model, quantized, session

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source

OPTIONS = {"steps": 60, "directions": 8, "batch": 32, "epsilon": 0.05, "lr": 0.05, "progress": False}


def samples(count, seed):
    """Images (2, 8, 8) of three classes: stripes across, stripes down, and a checkerboard, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    rows, columns = np.indices((8, 8)) % 2
    patterns = np.stack([rows, columns, rows ^ columns])[y][:, None]
    x = 2 * patterns + rng.normal(0, 1.0, (count, 2, 8, 8))
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(0)
    draw = lambda *shape: (rng.normal(size=shape) / 3).astype(np.float32)  # noqa: E731
    nodes = [
        ("Conv", ["x", "w1", "b1"], "c1", {}),
        ("Relu", ["c1"], "r1", {}),
        ("Conv", ["r1", "w2", "b2"], "c2", {"group": 6}),
        ("Relu", ["c2"], "r2", {}),
        ("GlobalAveragePool", ["r2"], "g", {}),
        ("Flatten", ["g"], "f", {}),
        ("Gemm", ["f", "w3", "b3"], "y", {"transB": 1}),
    ]
    constants = {"w1": draw(6, 2, 3, 3), "b1": draw(6), "w2": draw(6, 1, 3, 3), "b2": draw(6)}
    model = float_model(nodes, (2, 8, 8), constants | {"w3": draw(3, 6), "b3": draw(3)}, classes=3)
    path = tmp_path_factory.mktemp("ort") / "m.onnx"
    quantized(model, samples(60, 5)[0], path, per_channel=False)
    return path


@pytest.fixture(scope="module")
def run(path):
    return sf.adapt(path, samples(120, 0), test=samples(90, 1), out=path.parent / "run", **OPTIONS)


def test_a_run_returns_the_file_with_other_integers(path, run):
    out = path.parent / "run"
    given, adapted = path.read_bytes(), (out / "adapted.onnx").read_bytes()
    assert len(given) == len(adapted) and given != adapted
    assert run.adapted_loss < run.zero_shot_loss
    assert (run.bits, run.settings["runtime"], run.settings["low_bits"]) == ("8w8a", "ort", "master")
    kept = "not matched first: the scales of an ONNX file that another tool quantized stay as they are"
    assert kept in run.notes


def test_onnx_runtime_computes_the_logits_that_were_measured(path, run):
    returned = path.parent / "run" / "adapted.onnx"
    opened, (x, y) = open_source(returned), samples(90, 1)
    network, program = opened.network(), lower(opened.network())
    logits = network.formats[network.output]
    ours = logits_of(CoreEngine(program), quantize_input(program, x))
    theirs = session(returned.read_bytes()).run(None, {"x": x})[0]
    assert np.array_equal(theirs, (ours - logits.zero_point).astype(np.float32) * np.float32(logits.scale))
    assert (theirs.argmax(axis=1) == y).mean() == run.adapted_accuracy
    measured = sf.evaluate(returned, (x, y))
    assert (measured["accuracy"], measured["loss"]) == (run.adapted_accuracy, run.adapted_loss)
    assert measured["runtime"] == "ort"


def test_a_journal_gives_the_same_file(path, run, tmp_path):
    sf.replay(path, path.parent / "run" / "journal", out=tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (path.parent / "run" / "adapted.onnx").read_bytes()
    run.save(tmp_path / "saved.onnx")
    assert (tmp_path / "saved.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


def test_inspect_check_and_predict_read_it(path):
    found = sf.inspect(path)
    assert (found["runtime"], found["input_shape"], found["bits"]) == ("ort", [2, 8, 8], "8w8a")
    found = sf.check(path)
    assert (found["supported"], found["input_shape"], found["outputs"]) == (True, [2, 8, 8], 3)
    found = sf.predict(path, samples(2, 3)[0], classes=["across", "down", "both"])
    assert len(found) == 2 and found[0]["class"] in ("across", "down", "both")


@pytest.mark.parametrize(
    "options, why",
    [
        ({"method": "match"}, "--method match changes scales"),
        ({"head_start": "means"}, "--head-start changes scales"),
        ({"method": "backprop"}, "needs a float model"),
        ({"bits": "4w8a"}, "quantized already .8w8a."),
        ({"runtime": "litert"}, r"--runtime litert runs \.tflite files"),
        ({"input_shape": "2,9,9"}, r"does not fit input 'x'"),
    ],
)
def test_what_makes_no_sense_is_refused(path, options, why):
    if options.get("method") == "backprop":
        pytest.importorskip("torch")
    with pytest.raises(StepforwardError, match=why):
        sf.adapt(path, samples(30, 0), progress=False, **options)
