import tracemalloc
import wave

import numpy as np
import pytest
import soundfile

from stepforward.data.audio import centred
from stepforward.data.sounds import read_sound, starts_like_a_sound, suffixes
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
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav", 8000), samples / 32768)


def test_channels_are_mixed_down(tmp_path):
    left, right = tone(440, 8000), tone(880, 8000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 8000, subtype="DOUBLE")
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav", 8000), (left + right) / 2, atol=1e-12)


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"\x89PNG not a sound at all" * 10])
def test_damaged_wav_is_named(tmp_path, content):
    (tmp_path / "broken.wav").write_bytes(content)
    with pytest.raises(StepforwardError, match=r"broken\.wav"):
        read_sound(tmp_path / "broken.wav", 8000)


def test_empty_and_not_finite_wavs_are_named(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    with pytest.raises(StepforwardError, match=r"none.wav holds no samples"):
        read_sound(tmp_path / "none.wav", 8000)
    soundfile.write(tmp_path / "fast.wav", np.zeros(9), 2000000000)
    with pytest.raises(StepforwardError, match=r"fast.wav claims 2000000000"):
        read_sound(tmp_path / "fast.wav", 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(StepforwardError, match=r"nan.wav holds NaN or Inf"):
        read_sound(tmp_path / "nan.wav", 8000)


def test_a_recording_cut_short_is_named_but_a_streamed_one_is_read(tmp_path):
    path = tmp_path / "cut.wav"
    soundfile.write(path, np.zeros(4000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(StepforwardError, match=r"cut\.wav is cut short: 1,000 bytes of 8,044"):
        read_sound(path, 8000)
    path.write_bytes(whole[:4] + b"\xff\xff\xff\xff" + whole[8:])  # what a writer into a pipe leaves
    assert len(read_sound(path, 8000)) == 4000


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(StepforwardError, match=r"cannot read .*No such file"):
        read_sound(tmp_path / "none.wav", 8000)


@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_24"),
        ("WAV", "PCM_32"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
        ("CAF", "ALAC_16"),
    ],
)
def test_formats_are_told_by_content_whatever_the_name(tmp_path, kind, coding):
    soundfile.write(
        tmp_path / "a.wav", np.stack([tone(440, 48000)] * 2, 1), 48000, format=kind, subtype=coding
    )
    heard = read_sound(tmp_path / "a.wav", 8000)
    assert abs(len(heard) - 8000) <= 400  # MP3 adds silence
    assert np.abs(np.fft.rfft(heard)).argmax() == pytest.approx(440, abs=25)
    assert starts_like_a_sound((tmp_path / "a.wav").read_bytes()[:16]) or kind == "MP3"
    assert {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".caf", ".wave"} <= set(suffixes())


@pytest.mark.parametrize("rate", [8000, 22050, 96000, 192000])
def test_any_rate_becomes_the_networks(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(440, rate), rate)
    assert len(read_sound(tmp_path / "a.wav", 16000)) == 16000


@pytest.mark.parametrize("length", [bytes(4), b"\xff" * 4])
@pytest.mark.parametrize("riff", [bytes(4), b"\xff" * 4, None])
def test_a_header_without_a_length_is_read_to_the_end(tmp_path, length, riff):
    path, remarks = tmp_path / "pipe.wav", []
    soundfile.write(path, tone(440, 8000), 8000)
    whole = path.read_bytes()
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:4] + (riff or whole[4:8]) + whole[8:at] + length + whole[at + 4 :])
    heard = read_sound(path, 8000, remarks=remarks)
    np.testing.assert_allclose(heard, tone(440, 8000), atol=1e-4)
    assert remarks == ["the header gives no length: read to the end of the file"]


def test_an_empty_recording_followed_by_tags_stays_empty(tmp_path):
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    with pytest.raises(StepforwardError, match=r"empty\.wav holds no samples"):
        read_sound(path, 8000)


def test_floats_of_sixteen_bit_size_are_scaled_and_said(tmp_path):
    path, loud, quiet = tmp_path / "a.wav", np.rint(tone(440, 8000) * 32768), np.rint(tone(440, 8000) * 8)
    for samples in (loud, quiet):
        remarks = []
        soundfile.write(path, samples, 8000, subtype="FLOAT")
        np.testing.assert_allclose(read_sound(path, 8000, remarks=remarks), samples / 32768)
        assert remarks == ["float samples of 16-bit size were divided by 32,768"]
    remarks = []
    soundfile.write(path, 1.5 * tone(440, 8000), 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(path, 8000, remarks=remarks), 1.5 * tone(440, 8000), atol=1e-6)
    assert remarks == []
    soundfile.write(path, tone(440, 8000) * 2**31, 8000, subtype="FLOAT")
    with pytest.raises(StepforwardError, match="neither \\[-1, 1\\] nor the range of 16 bits"):
        read_sound(path, 8000)


def test_a_header_that_claims_hours_takes_no_memory(tmp_path):
    path = tmp_path / "lie.flac"
    soundfile.write(path, tone(440, 8000), 8000)
    whole = bytearray(path.read_bytes())
    whole[22:26] = b"\xf0\xbe\x00\x03"  # the number of samples in STREAMINFO
    path.write_bytes(whole)
    tracemalloc.start()
    for samples in (8000, None):
        with pytest.raises(
            StepforwardError,
            match=r"lie\.flac is damaged or cut short: .* 4,038,983,683 samples",
        ):
            read_sound(path, 8000, samples)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_of_a_long_recording_no_more_is_read_than_needed(tmp_path):
    path, remarks = tmp_path / "long.wav", []
    samples = np.concatenate([np.zeros(70 * 11025), tone(440, 11025, 3), np.zeros(70 * 11025)])
    soundfile.write(path, samples, 11025)
    heard = centred(read_sound(path, 8000, 8000, remarks), 8000)
    assert np.abs(np.fft.rfft(heard)).argmax() == 440
    assert len(read_sound(path, 8000, 8000)) == 3 * 8000  # a second on both sides
    assert remarks == ["of recordings more than twice as long only the middle 1 s are used"]
