import math

import numpy as np
import pytest
import soundfile

from stepforward.data.load import load
from stepforward.data.mfcc import mfcc
from stepforward.errors import StepforwardError

SETTINGS = {
    "kind": "mfcc",
    "sample_rate": 4000,
    "samples": 800,
    "window": 160,
    "hop": 80,
    "fft": 256,
    "mels": 12,
    "coefficients": 6,
    "fmin": 20.0,
    "fmax": 2000.0,
    "mean": 0.0,
    "std": 1.0,
    "floor": 1e-6,
}


def word(count=800):
    time = np.arange(count) / 4000
    return 0.3 * np.sin(2 * np.pi * (300 + 900 * time) * time) + 0.05 * np.cos(2 * np.pi * 1234 * time)


def plain(x, s):
    """The formula in scalars and loops, from the definition of every term."""

    def mel(f):
        return 1127 * math.log(1 + f / 700)

    step = (mel(s["fmax"]) - mel(s["fmin"])) / (s["mels"] + 1)
    rows = []
    for start in range(0, len(x) - s["window"] + 1, s["hop"]):
        windowed = [
            x[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / s["window"])) for n in range(s["window"])
        ]
        amplitude = []
        for k in range(s["fft"] // 2 + 1):
            angle = -2 * math.pi * k / s["fft"]
            real = sum(value * math.cos(angle * n) for n, value in enumerate(windowed))
            imaginary = sum(value * math.sin(angle * n) for n, value in enumerate(windowed))
            amplitude.append(math.hypot(real, imaginary))
        loudness = []
        for m in range(s["mels"]):
            centre = mel(s["fmin"]) + (m + 1) * step
            energy = sum(
                max(0.0, 1 - abs(mel(k * s["sample_rate"] / s["fft"]) - centre) / step) * value
                for k, value in enumerate(amplitude)
            )
            loudness.append(math.log(energy + s["floor"]))
        rows.append(
            [
                math.sqrt(2 / s["mels"])
                * sum(
                    value * math.cos(math.pi / s["mels"] * (m + 0.5) * j) for m, value in enumerate(loudness)
                )
                for j in range(s["coefficients"])
            ]
        )
    return np.array(rows)


def test_it_is_the_formula():
    features = mfcc(word(), SETTINGS)
    assert features.shape == (1, 9, 6)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[0], plain(word(), SETTINGS), rtol=1e-5, atol=1e-5)


def test_mean_and_std_normalise():
    scaled = mfcc(word(), SETTINGS | {"mean": -3.0, "std": 2.0})
    np.testing.assert_allclose(scaled, (mfcc(word(), SETTINGS) + 3) / 2, rtol=1e-5, atol=1e-5)


def test_peak_takes_loudness_out_and_silence_stays_finite():
    settings = SETTINGS | {"peak": True}
    np.testing.assert_allclose(mfcc(word() / 50, settings), mfcc(word(), settings), rtol=1e-4, atol=1e-4)
    assert np.isfinite(mfcc(np.zeros(800), settings)).all()


def test_too_many_mels_are_refused():
    with pytest.raises(StepforwardError, match="too narrow for 64 FFT points"):
        mfcc(word(), SETTINGS | {"mels": 60, "window": 64, "fft": 64})


def test_a_folder_of_sounds_at_another_rate(tmp_path):
    for name, loudness in (("no", 0.5), ("yes", 1.0)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", loudness * word(1600), 8000)
    assert load(tmp_path, SETTINGS).x.shape == (2, 1, 9, 6)
