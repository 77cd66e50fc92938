import json

import numpy as np
import onnx
import onnxruntime
import pytest

from stepforward.data.load import load
from stepforward.digits.clips import CLASS_NAMES, clips, export_clips, load_clips, model_path
from stepforward.errors import StepforwardError


@pytest.fixture(scope="module")
def metadata():
    return {entry.key: entry.value for entry in onnx.load(model_path()).metadata_props}


@pytest.fixture(scope="module")
def settings(metadata):
    return json.loads(metadata["stepforward.preprocessing"])


def test_ten_clips_per_digit_adapt_and_thirty_others_test():
    for part, per_digit in (("adapt", 10), ("test", 30)):
        names = [clip.label for clip in clips(part)]
        assert names == [name for name in CLASS_NAMES for _ in range(per_digit)]
    adapt, test = ({clip.samples.tobytes() for clip in clips(part)} for part in ("adapt", "test"))
    assert len(adapt) == 100
    assert len(test) == 300
    assert not adapt & test


def test_the_network_carries_its_preprocessing_and_classes(metadata, settings):
    assert tuple(json.loads(metadata["stepforward.class_names"])) == CLASS_NAMES
    assert settings["kind"] == "log_mel"
    assert model_path().stat().st_size < 100_000


def test_exported_wavs_load_as_the_shipped_clips(tmp_path, settings):
    for folder in export_clips(tmp_path):
        shipped, exported = load_clips(folder.name, settings), load(folder, settings, CLASS_NAMES)
        np.testing.assert_array_equal(exported.x, shipped.x)
        np.testing.assert_array_equal(exported.y, shipped.y)
        assert exported.sources == shipped.sources
    assert "CC BY-SA 4.0" in (tmp_path / "ATTRIBUTION.md").read_text()
    with pytest.raises(StepforwardError, match="exists already"):
        export_clips(tmp_path)


def test_the_network_needs_adapting_but_is_no_stranger_to_digits(settings):
    data = load_clips("test", settings)
    session = onnxruntime.InferenceSession(model_path(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"log_mel": data.x})
    assert 0.5 < (logits.argmax(1) == data.y).mean() < 0.7


def test_a_full_disk_leaves_no_half_written_recordings(tmp_path, monkeypatch):
    from stepforward.digits import clips

    written = []

    def full(path, *args, **kwargs):
        written.append(path)
        if len(written) == 30:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr(clips.soundfile, "write", full)
    with pytest.raises(StepforwardError, match="No space left"):
        clips.export_clips(tmp_path / "out")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
