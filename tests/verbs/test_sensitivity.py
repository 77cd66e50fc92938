import numpy as np
import pytest
from onnx_graphs import parse, ramp, samples

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.sensitivity import sensitivity


def test_the_float_model_says_what_each_layer_loses(task):
    found = sensitivity(task.float_model, task.test, bits="8w8a")
    assert found.reference.accuracy == evaluate(task.float_model, task.test)["accuracy"]
    assert found.reference.decibels is None and found.reference.agreement == 1
    assert 0 < found.whole.decibels < min(t.effect.decibels for t in found.tensors)
    assert abs(found.parts - found.whole.decibels) < 6
    assert sum(t.share for t in found.tensors) == pytest.approx(1)
    assert {t.kind for t in found.tensors} == {"activation", "weights"}


def test_more_bits_of_weights_are_less_noise(task):
    def noise(bits):
        rows = sensitivity(task.float_model, task.test, bits=bits).tensors
        return [t.effect.decibels for t in rows if t.kind == "weights"]

    for four, eight, sixteen in zip(noise("4w8a"), noise("8w8a"), noise("16w8a"), strict=True):
        assert four < eight < sixteen


def test_a_quantized_file_has_exact_weights_and_the_same_whole(task):
    found = sensitivity(task.model, task.test)
    assert {t.kind for t in found.tensors} == {"activation"}
    assert found.whole.accuracy == evaluate(task.model, task.test)["accuracy"]
    assert any("count as exact" in note for note in found.notes)
    with pytest.raises(StepforwardError, match="quantized already"):
        sensitivity(task.model, task.test, bits="8w8a")


def residual():
    """Two branches that are almost equal, and one taken off the other: what they are rounded to is all that counts."""
    body = """
        a = Conv(x, w1, b1)  c = Conv(x, w2, b2)  s = Add(a, c)  p = GlobalAveragePool(s)  f = Flatten(p)
        y = Gemm<transB=1>(f, w, b)
    """
    w1 = ramp(2, 2, 1, 1, scale=1.0)
    weights = {"w1": 40 * w1, "b1": ramp(2), "w2": -39.9 * w1, "b2": ramp(2)}
    return canonicalize(parse(body, w=ramp(3, 2), b=ramp(3), **weights))


def test_suggested_tensors_can_have_16_bits_and_help():
    model = residual()
    x = samples(model, 30)
    found = sensitivity(model, x)
    assert set(found.suggested) == {"w1_2", "w2_2"}
    assert found.with_suggested.decibels > found.whole.decibels + 6
    assert "--wide" in found.command and found.reference.accuracy is None
    wide = quantize(model, x, wide=",".join(found.suggested))
    formats = open_source(wide).network().formats
    assert formats["w1_2"].dtype == formats["w2_2"].dtype == "s16"
    assert sensitivity(model, x, wide="w1,w2").suggested == ()


def test_few_samples_are_spread_over_the_data(task):
    x, y = task.data
    assert sensitivity(task.float_model, (x, y), samples=2).samples == 2
    with pytest.raises(StepforwardError, match="samples = 0"):
        sensitivity(task.float_model, (x, y), samples=0)


def test_a_model_that_ignores_its_input_has_no_noise_to_share():
    body = "f = Flatten(x) y = Gemm<transB=1>(f, w, b)"
    model = canonicalize(parse(body, "N,3", w=np.zeros((2, 3), np.float32), b=np.zeros(2, np.float32)))
    found = sensitivity(model, ramp(5, 3, scale=1.0))
    assert all(t.effect.decibels is None and t.share == 0 for t in found.tensors)
    assert found.suggested == () and found.command == ""
