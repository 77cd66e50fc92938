"""`evaluate`: integers, floats and ONNX Runtime tell the same story; data that would be misread is refused."""

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import stripes
from onnx_graphs import parse, ramp

from stepforward.data.dataset import Dataset
from stepforward.digits.clips import load_clips, model_path
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize


@pytest.fixture(scope="module")
def speech():
    """The shipped recogniser in float, in 16w8a, and the 300 test clips."""
    opened = open_source(model_path())
    graph = quantize(opened.model, load_clips("adapt", opened.preprocessing))
    return opened, graph, load_clips("test", opened.preprocessing)


def test_sixteen_bit_weights_hardly_change_real_speech(speech):
    opened, graph, clips = speech
    in_float, in_integers = evaluate(opened, clips), evaluate(graph, clips)
    assert in_float["count"] == in_integers["count"] == 300
    assert abs(in_float["accuracy"] - in_integers["accuracy"]) <= 0.01
    assert abs(in_float["loss"] - in_integers["loss"]) <= 0.03


def test_onnx_runtime_predicts_what_the_core_predicts(speech):
    _, graph, clips = speech
    session = onnxruntime.InferenceSession(ir.to_proto(graph).SerializeToString())
    expected = session.run(None, {session.get_inputs()[0].name: clips.x})[0].argmax(1)
    program = lower(open_source(graph).network())
    predicted = logits_of(CoreEngine(program, threads=1), quantize_input(program, clips.x)).argmax(1)
    assert (predicted == expected).mean() >= 0.99


def test_the_measured_figures_fit_together(task):
    result = evaluate(task.model, task.data)
    confusion = np.array(result["confusion"])
    assert confusion.sum(axis=1).tolist() == [8, 8, 8]
    assert np.trace(confusion) == result["correct"]
    assert result["accuracy"] == result["correct"] / result["count"] == result["correct"] / 24
    assert result["loss"] > 0
    assert result["class_names"] == stripes.NAMES
    assert result["bits"] == "16w8a"
    assert len(result["weights_sha256"]) == 64
    assert evaluate(task.float_model, task.data)["weights_sha256"] is None


def test_the_kinds_of_data_agree(task, tmp_path):
    x, y = task.data
    names = np.array(stripes.NAMES)
    np.savez(tmp_path / "plain.npz", x=x, y=y)
    np.savez(tmp_path / "named.npz", x=x, y=2 - y, class_names=names[::-1])
    folder = stripes.write_folder(tmp_path / "folder", range(8))
    kinds = [
        (x.astype(np.float64), y.tolist()),
        Dataset(x, 2 - y, tuple(names[::-1]), ("",) * 24),
        tmp_path / "plain.npz",
        str(tmp_path / "named.npz"),
        folder,
    ]
    expected = evaluate(task.model, task.data)["confusion"]
    for kind in kinds:
        assert evaluate(task.model, kind)["confusion"] == expected


X, Y = stripes.arrays(range(2))["x"], np.array([0, 0, 1, 1, 2, 2])


def hole():
    x = X.copy()
    x[4, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize("which", ["float_model", "model"])
@pytest.mark.parametrize(
    ("data", "match"),
    [
        ((hole(), Y), "sample 4 holds NaN"),
        ((X, Y + 0.5), "y is float64"),
        ((X, np.array(["a"] * 6)), "no class 'a'"),
        ((X, np.stack([Y, Y], axis=1)), "2 values per sample"),
        ((X, Y[:-1]), "6 samples but y 5 labels"),
        ((X, Y - 1), "label -1 of sample 0"),
        ((X, Y + 1), "label 3 of sample 4"),
        ((X[:0], Y[:0]), "no samples"),
        ((X[:, 0, 0], Y), r"\(6, 8\)"),
        ((X.astype(int), Y), "x is int64"),
        ((X.astype(str), Y), "x is <U"),
        (X, "neither a path"),
        (None, "neither a path"),
        (Dataset(X, Y, ("a", "b", "c"), ("",) * 6), "no class 'a'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arrays_that_would_be_misread_are_refused(task, which, data, match):
    with pytest.raises(StepforwardError, match=match):
        evaluate(getattr(task, which), data)


def test_a_program_is_not_taken_for_a_model(tmp_path):
    with pytest.raises(StepforwardError, match=r"adapted\.onnx"):
        evaluate(tmp_path / "adapted.sfp", (X, Y))


def one_logit(x):
    return parse(
        "f = Flatten(x)\ny = Gemm<transB=1>(f, w)",
        f"N,{','.join(map(str, x.shape[1:]))}",
        w=ramp(1, x[0].size),
    )


def test_samples_of_one_class_say_nothing(task):
    x = task.test[0]
    for model in (one_logit(x), task.model):
        notes = evaluate(model, (x, np.zeros(len(x), int)))["notes"]
        (said,) = [note for note in notes if "accuracy says nothing" in note]
        assert f"all {len(x)} samples are of one class" in said
    assert "one class, 'horizontal'; add samples of 'vertical', 'squares'" in said
    assert not any("says nothing" in note for note in evaluate(task.model, task.test)["notes"])


def test_classes_without_samples_are_named(task):
    x, y = task.test
    notes = evaluate(task.model, (x[y < 2], y[y < 2]))["notes"]
    assert notes == ["1 of 3 classes have no samples, and accuracy says nothing about them: 'squares'"]
