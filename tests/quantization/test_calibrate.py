import numpy as np
import pytest
from onnx_graphs import parse, ramp

from stepforward.errors import StepforwardError
from stepforward.quantization.calibrate import calibrate
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize


def network(**weights):
    return canonicalize(
        parse(
            "a = Conv(x, a.weight)\nr = Relu(a)\nf = Flatten(r)\ny = Gemm<transB=1>(f, fc.weight)",
            **{"a__weight": np.ones((1, 2, 1, 1), np.float32), "fc__weight": ramp(3, 36)} | weights,
        )
    )


def outliers():
    """Two in 7200 values of the input are a hundred times larger than the others."""
    x = ramp(100, 2, 6, 6, scale=1.0)
    x[0, :, 0, 0] = 100
    return x


def test_ranges_of_the_values_that_are_stored():
    x = outliers()
    seen = calibrate(network().graph, x, QuantizationSettings())
    assert seen["x"] == (float(x.min()), 100.0)
    assert seen["relu"] == (0.0, 200.0)
    assert set(seen) == {"x", "relu", "flatten", "y"}  # the convolution's own output is never stored


def test_blocks_do_not_change_the_ranges():
    x = outliers()
    whole = calibrate(network().graph, x, QuantizationSettings())
    assert whole["x"] == calibrate(network().graph, x[::-1].copy(), QuantizationSettings())["x"]


def test_percentile_ignores_outliers_but_never_clips_logits():
    settings = QuantizationSettings(method="percentile", percentile=99.9)
    seen, full = (
        calibrate(network().graph, outliers(), settings),
        calibrate(network().graph, outliers(), QuantizationSettings()),
    )
    assert 0.9 < seen["x"][1] < 1.2
    assert seen["y"] == full["y"]


def test_mse_weighs_outliers_against_steps():
    """One value at 100 among many of size 1: clipping it costs more than coarse steps, among enough others less."""
    settings = QuantizationSettings(method="mse")
    assert calibrate(network().graph, outliers(), settings)["x"][1] == pytest.approx(100, rel=0.02)
    x = ramp(100, 2, 6, 6, scale=1.0)
    x[0, 0, 0, 0] = 1.3
    assert calibrate(network().graph, x, settings)["x"][1] < 1.3


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros((4, 6, 6, 2), np.float32),
            r"shape \(4, 6, 6, 2\), but the model's input 'x' is \(N, 2, 6, 6\)",
        ),
        (np.zeros((0, 2, 6, 6), np.float32), "no samples"),
        (np.zeros((4, 2, 6, 6), np.uint8), "type uint8, not float32"),
        (np.full((4, 2, 6, 6), np.nan, np.float32), r"sample 0 of the data contains NaN or Inf \(4 of 4"),
        (np.full((4, 2, 6, 6), 3e38, np.float32), "gives NaN or Inf at 'a'"),
    ],
)
def test_bad_data_is_refused(x, message):
    with pytest.raises(StepforwardError, match=message) as caught:
        calibrate(network().graph, x, QuantizationSettings())
    assert caught.value.remedy


def test_data_of_zeros_gives_a_usable_format():
    from stepforward.sources.qdq.read import read_quantized
    from stepforward.sources.qdq.write import quantize

    for method in ("minmax", "percentile", "mse"):
        model = quantize(network(), np.zeros((4, 2, 6, 6), np.float32), QuantizationSettings(method=method))
        assert all(form.scale > 1e-6 for form in read_quantized(model).formats.values())
