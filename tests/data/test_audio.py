import numpy as np
import pytest
from log_mel import LOG_MEL as SETTINGS

from stepforward.data.audio import centred, log_mel, mel_filters, resample
from stepforward.errors import StepforwardError


def tone(frequency, rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [16000, 44100, 11025, 4000, 48000])
def test_resampling_keeps_a_tone(rate):
    heard = resample(tone(440, rate), rate, 8000)
    assert len(heard) == 8000
    middle = slice(1000, 7000)  # the abrupt ends of the tone ring
    np.testing.assert_allclose(heard[middle], tone(440, 8000)[middle], atol=2e-3)


def test_resampling_removes_what_the_new_rate_cannot_hold():
    heard = resample(tone(6000, 44100), 44100, 8000)
    assert np.abs(heard[1000:7000]).max() < 2e-3


def test_a_tone_lights_up_its_mel_band():
    features = log_mel(tone(1000, 8000), SETTINGS)
    assert features.shape == (1, 32, 50)
    assert features.dtype == np.float32
    peak = mel_filters(8000, 256, 32, 60.0, 4000.0)[:, round(1000 / 31.25)].argmax()
    assert (features[0].argmax(axis=0) == peak).all()
    # a tone of amplitude a has power (a/2)^2 at its bin and a quarter of it next to it
    weight = mel_filters(8000, 256, 32, 60.0, 4000.0)[peak, 31:34] @ [0.25, 1.0, 0.25]
    assert features[0, peak, 25] == pytest.approx(np.log(0.25**2 * weight), abs=1e-3)


def test_silence_is_the_floor_and_mean_and_std_normalise():
    settings = SETTINGS | {"mean": -10.0, "std": 2.0}
    np.testing.assert_array_equal(log_mel(np.zeros(10), settings), np.float32((np.log(1e-6) + 10.0) / 2.0))


def test_short_clips_are_padded_and_long_ones_cut_around_the_middle():
    np.testing.assert_array_equal(centred(np.arange(1.0, 4.0), 6), [0, 1, 2, 3, 0, 0])
    np.testing.assert_array_equal(centred(np.arange(5.0), 3), [1, 2, 3])
    short = tone(500, 8000, 0.3)
    padded = np.concatenate([np.zeros(2800), short, np.zeros(2800)])
    np.testing.assert_array_equal(log_mel(short, SETTINGS), log_mel(padded, SETTINGS))


def test_too_many_mels_are_refused():
    with pytest.raises(StepforwardError, match="too narrow"):
        mel_filters(8000, 64, 80, 60.0, 4000.0)
