import numpy as np
import pytest
from onnx_graphs import parse, run_ort

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.metadata import get_notes
from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.outliers import far_out
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source
from stepforward.sources.qdq.write import quantize


def network(scale=1.0):
    rng = np.random.default_rng(5)
    return canonicalize(
        parse(
            "h = Gemm<transB=1>(x, a.weight)\nr = Relu(h)\ny = Gemm<transB=1>(r, fc.weight)",
            input_shape="N,6",
            a__weight=rng.normal(size=(32, 6)).astype(np.float32) * 2,
            fc__weight=rng.normal(size=(3, 32)).astype(np.float32) * np.float32(2 * scale),
        )
    )


def samples(glitch=None):
    x = np.random.default_rng(6).normal(size=(600, 6)).astype(np.float32)
    if glitch is not None:
        x[17, 2] = glitch
    return x


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_a_glitch_is_named_and_costs_the_others_nothing(method):
    x, canonical = samples(5000), network()
    model = quantize(canonical, x, QuantizationSettings(method=method))
    (note,) = get_notes(model)
    assert "sample 17 of the data reaches 5,000 where 99 % of the samples stay below 2." in note
    lower(open_source(model).network())
    clean = samples()
    assert (run_ort(model, clean).argmax(1) == run(canonical.graph, clean).argmax(1)).mean() > 0.97
    named = quantize(canonical, x, sources=[f"row {number}" for number in range(600)])
    assert get_notes(named)[0].startswith("row 17 reaches 5,000")


def test_ordinary_data_has_no_glitch():
    rare = samples()
    rare[:3, 0] = 30  # a large value that 1 sample in 200 has is data
    zeros = samples()
    zeros[:, 1] = 0
    zeros[5, 1] = 1
    for x in (samples(), rare, zeros, np.zeros((4, 6), np.float32), samples()[:1], samples()[:2]):
        assert not far_out(x)
        assert get_notes(quantize(network(), x)) == []


def test_logits_that_fit_with_less_room_are_taken_and_larger_ones_are_refused_with_a_way_out():
    x = samples()
    top = float(np.abs(run(network().graph, x)).max())
    lower(open_source(quantize(network(15_000 / top), x)).network())
    with pytest.raises(StepforwardError, match="the logits are too large") as caught:
        lower(open_source(quantize(network(1e6 / top), x)).network())
    by = int(caught.value.remedy.split(" by ")[1].split(" ")[0])
    lower(open_source(quantize(network(1e6 / top / by), x)).network())
