import json

import log_mel
import numpy as np
import pytest

from stepforward.data.preprocessing import apply, check_preprocessing, input_shape, laid_out, read
from stepforward.errors import StepforwardError

IMAGE = {"kind": "image", "height": 8, "width": 6, "channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
MFCC = {
    "kind": "mfcc",
    "sample_rate": 16000,
    "samples": 16000,
    "window": 640,
    "hop": 320,
    "fft": 1024,
    "mels": 40,
    "coefficients": 10,
    "fmin": 20.0,
    "fmax": 4000.0,
    "mean": 0.0,
    "std": 1.0,
    "floor": 1e-6,
}
LOG_MEL = {**log_mel.LOG_MEL, "mean": -8.0, "std": 3.0}


def test_shapes_are_as_announced():
    assert apply(IMAGE, np.zeros((20, 30, 3), np.uint8)).shape == input_shape(IMAGE) == (3, 8, 6)
    assert apply(LOG_MEL, np.zeros(5000)).shape == input_shape(LOG_MEL) == (1, 32, 50)
    assert apply(MFCC, np.zeros(5000)).shape == input_shape(MFCC) == (1, 49, 10)
    assert input_shape({"kind": "array"}) is None
    assert apply({"kind": "array"}, np.zeros((1, 2, 3))).dtype == np.float32


@pytest.mark.parametrize("settings", [IMAGE, LOG_MEL, MFCC])
def test_channels_can_come_last(settings):
    raw = np.random.default_rng(0).random((20, 30, 3) if settings is IMAGE else 16000)
    first, last = (apply(settings | {"channels_last": way}, raw) for way in (False, True))
    np.testing.assert_array_equal(np.moveaxis(first, 0, -1), last)
    assert last.shape == input_shape(settings | {"channels_last": True})
    assert laid_out(settings, last.shape, False) == settings | {"channels_last": True}
    assert laid_out(settings, first.shape, True) == settings


def test_the_order_of_axes_is_true_or_false():
    with pytest.raises(StepforwardError, match="channels_last is 1"):
        check_preprocessing(IMAGE | {"channels_last": 1})


@pytest.mark.parametrize("settings", [IMAGE, LOG_MEL, MFCC, {"kind": "array"}])
def test_settings_survive_json(settings):
    assert check_preprocessing(json.loads(json.dumps(settings))) == settings


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, "kind is None"),
        ({"kind": "video"}, "kind is 'video'"),
        ("log_mel", "kind is None"),
        ({key: value for key, value in LOG_MEL.items() if key != "hop"}, "hop is None"),
        (LOG_MEL | {"mels": "32"}, "mels is '32'"),
        (LOG_MEL | {"mels": True}, "mels is True"),
        (LOG_MEL | {"floor": 0.0}, "floor"),
        (LOG_MEL | {"mean": float("nan")}, "mean is nan"),
        (LOG_MEL | {"fmax": 5000.0}, "fmax"),
        (LOG_MEL | {"fft": 128}, "fft"),
        (LOG_MEL | {"samples": 100}, "samples"),
        (MFCC | {"fft": 512}, "window is longer than fft"),
        (MFCC | {"samples": 600}, "samples is less than one window"),
        (MFCC | {"coefficients": 41}, "more coefficients than mels"),
        (MFCC | {"peak": 1}, "peak is 1"),
        (MFCC | {"fmax": 9000.0}, "fmax"),
        ({"kind": "function", "function": "os:remove", "shape": [1, 4, 4]}, "kind is 'function'"),
        (IMAGE | {"channels": 2, "mean": [0, 0], "std": [1, 1]}, "channels is 2"),
        (IMAGE | {"mean": [0.5]}, "mean"),
        (IMAGE | {"std": [1.0, 0.0, 1.0]}, "std"),
        (IMAGE | {"height": 0}, "height is 0"),
        (IMAGE | {"fit": "sqaush"}, "fit is 'sqaush', not one of crop, squash, letterbox"),
        (IMAGE | {"levels": 0}, "levels is 0"),
        (IMAGE | {"levles": 4095}, "image has no setting 'levles'; did you mean 'levels'"),
    ],
)
def test_broken_settings_are_refused_by_name(settings, names):
    with pytest.raises(StepforwardError, match=names):
        check_preprocessing(settings)


def test_array_models_read_no_files(tmp_path):
    with pytest.raises(StepforwardError, match="ready-made arrays"):
        read({"kind": "array"}, tmp_path / "a.wav")
