import wave

import numpy as np
import pytest
import soundfile
from log_mel import LOG_MEL as SETTINGS

from stepforward.data.audio import centred, log_mel, mel_filters, read_wav, resample
from stepforward.errors import StepforwardError


def tone(frequency, rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def test_pcm_is_read_exactly(tmp_path):
    samples = np.array([0, 1, -1, 16384, 32767, -32768], np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", 8000), samples / 32768)


def test_channels_are_mixed_down(tmp_path):
    left, right = tone(440, 8000), tone(880, 8000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 8000, subtype="DOUBLE")
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav", 8000), (left + right) / 2, atol=1e-12)


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
    # a tone of amplitude a has power (a/2)^2 at its bin and a quarter of it beside
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


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"\x89PNG not a sound at all" * 10])
def test_damaged_wav_is_named(tmp_path, content):
    (tmp_path / "broken.wav").write_bytes(content)
    with pytest.raises(StepforwardError, match=r"broken\.wav"):
        read_wav(tmp_path / "broken.wav", 8000)


def test_empty_and_not_finite_wavs_are_named(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    with pytest.raises(StepforwardError, match=r"none.wav holds no samples"):
        read_wav(tmp_path / "none.wav", 8000)
    soundfile.write(tmp_path / "fast.wav", np.zeros(9), 2000000000)
    with pytest.raises(StepforwardError, match=r"fast.wav claims 2000000000"):
        read_wav(tmp_path / "fast.wav", 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(StepforwardError, match=r"nan.wav holds NaN or Inf"):
        read_wav(tmp_path / "nan.wav", 8000)


def test_a_recording_cut_short_is_named_but_a_streamed_one_is_read(tmp_path):
    path = tmp_path / "cut.wav"
    soundfile.write(path, np.zeros(4000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(StepforwardError, match=r"cut\.wav is cut short: 1,000 bytes of 8,044"):
        read_wav(path, 8000)
    path.write_bytes(whole[:4] + b"\xff\xff\xff\xff" + whole[8:])  # what a writer into a pipe leaves
    assert len(read_wav(path, 8000)) == 4000


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(StepforwardError, match=r"cannot read .*No such file"):
        read_wav(tmp_path / "none.wav", 8000)
