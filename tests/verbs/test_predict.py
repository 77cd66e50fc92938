"""`predict`: classes and probabilities of samples without labels."""

import numpy as np
import onnx
import pytest
import stripes
from PIL import Image

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.predict import predict


def test_classes_agree_with_evaluate(task):
    x, y = task.test
    for model in (task.model, task.float_model):
        named = [found["class"] for found in predict(model, x)]
        right = sum(name == stripes.NAMES[label] for name, label in zip(named, y, strict=True))
        assert right == evaluate(model, task.test)["correct"]


def test_probabilities_are_the_softmax_of_the_real_logits(task):
    x, _ = task.test
    program = lower(open_source(task.model).network())
    logits = (
        logits_of(CoreEngine(program), quantize_input(program, x)) * program.tensors[program.output].scale[0]
    )
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, found in zip(expected, predict(task.model, x, top=3), strict=True):
        assert np.allclose([entry["probability"] for entry in found["top"]], np.sort(row)[::-1])
        assert found["probability"] == found["top"][0]["probability"]
        assert found["class"] == found["top"][0]["class"]


def test_files_arrays_and_single_samples_give_the_same(task, tmp_path):
    pixels = stripes.image(1, 9)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    x = ((pixels[None] / 255 - 0.5) / 0.25).astype(np.float32)
    np.savez(tmp_path / "one.npz", x=x[None])
    answers = [
        predict(task.model, samples)[0]["probability"]
        for samples in (
            *(tmp_path / "one.png", str(tmp_path / "one.png"), tmp_path / "one.npz"),
            *(x, x[None], pixels[None, :, :, None], pixels[:, :, None]),
        )
    ]
    assert len(set(answers)) == 1
    several = predict(task.model, [tmp_path / "one.png", tmp_path / "one.npz"])
    assert [found["source"] for found in several] == [str(tmp_path / "one.png"), f"{tmp_path / 'one.npz'}[0]"]


def test_a_model_without_metadata(task, tmp_path):
    plain = stripes.network()
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "plain.onnx")
    Image.fromarray(stripes.image(1, 9)).save(tmp_path / "one.png")
    given = {"classes": stripes.NAMES, "image": {"mean": 0.5, "std": 0.25}}
    expected = predict(task.float_model, tmp_path / "one.png")
    assert predict(tmp_path / "plain.onnx", tmp_path / "one.png", **given) == expected
    assert predict(tmp_path / "plain.onnx", tmp_path / "one.png")[0]["class"] in "012"


@pytest.mark.parametrize(
    "samples", [[], "missing.png", ".", np.zeros((1, 8, 9), np.float32), np.zeros((0, 1, 8, 8))]
)
def test_what_is_no_sample_is_refused(task, samples):
    with pytest.raises(StepforwardError) as error:
        predict(task.model, samples)
    assert error.value.remedy
