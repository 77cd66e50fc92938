"""What people have in place of an ONNX file is named, with the way that works."""

import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.file import load_onnx
from stepforward.sources.open import open_source


def archive(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return buffer.getvalue()


def arrays():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros(2), y=np.zeros(2))
    return buffer.getvalue()


SAFETENSORS = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'

FILES = {
    "m.tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "a TensorFlow Lite model", "stepforward adapt"),
    "m.ort": (bytes(4) + b"ORTM" + bytes(64), "an ONNX Runtime", "the .onnx file it was made from"),
    "m.h5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file, as Keras", "tf2onnx.convert --keras"),
    "m.keras": (archive("metadata.json", "config.json", "model.weights.h5"), "a Keras model", "tf2onnx"),
    "m.pt": (archive("m/data.pkl", "m/version", "m/data/0"), "a torch file", "sf.from_torch"),
    "cut.pt": (b"PK\3\4" + bytes(64), "a torch file", "torch.onnx.export"),
    "script.pt": (archive("m/data.pkl", "m/constants.pkl", "m/code/a.py"), "a TorchScript", "from_torch"),
    "m.pth": (pickle.dumps({"w": 1}, 2), "a Python pickle", "from_torch"),
    "m.safetensors": (struct.pack("<Q", len(SAFETENSORS)) + SAFETENSORS + bytes(4), "a safetensors", "from_torch"),
    "m.mlmodel": (b"\x08\x04\x12\xff", "a Core ML model", "export ONNX"),
    "saved_model.pb": (b"\x08\x01\x12\xff", "a TensorFlow graph", "--saved-model"),
    "lfs.onnx": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS", "git lfs pull"),
    "page.onnx": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page", "download went wrong"),
    "gone.onnx": (b"404: Not Found", "text that begins '404: Not Found'", "download went wrong"),
    "empty.onnx": (b"", "empty: 0 bytes", "again"),
    "m.zip": (archive("a/net.onnx"), "a zip archive", "a/net.onnx"),
    "m.onnx.gz": (b"\x1f\x8b" + bytes(20), "a gzip archive", "unpack"),
    "d.npz": (arrays(), "an archive of NumPy arrays", "--data"),
    "d.png": (b"\x89PNG\r\n\x1a\n" + bytes(20), "a PNG image", "--data"),
    "x.xml": (b'<?xml version="1.0"?><net name="x">', "an XML file, as OpenVINO", ".onnx"),
    "journal": (b"SFJ2" + bytes(20), "a stepforward journal", "replay"),
    "noise.onnx": (bytes(range(128, 256)), "not a readable ONNX model", "truncated"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_it_is_and_what_to_do(name, tmp_path):
    content, what, way = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    for read in (load_onnx,) if name == "m.tflite" else (load_onnx, open_source):
        with pytest.raises(StepforwardError) as caught:
            read(path)
        assert what in caught.value.what and str(path) in caught.value.what
        assert way in caught.value.remedy and "FILE" not in caught.value.remedy.removesuffix("--out FILE")


def test_a_renamed_file_is_told_by_its_content(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(FILES["m.tflite"][0])
    with pytest.raises(StepforwardError, match="TensorFlow Lite"):
        load_onnx(path)


def test_folders(tmp_path):
    for name, content, what in (
        ("saved", "saved_model.pb", "SavedModel"),
        ("run", "adapted.onnx", "a folder"),
        ("data", "cat", "a folder"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_bytes(b"x")
        with pytest.raises(StepforwardError, match=what) as caught:
            load_onnx(tmp_path / name)
        assert ("adapted.onnx" in caught.value.remedy) == (name == "run")


def test_torch_and_tar_files_as_torch_writes_them(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.zeros(2)}, tmp_path / "new.pth")
    torch.save({"w": torch.zeros(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with tarfile.open(tmp_path / "m.tar", "w") as file:
        file.add(tmp_path / "new.pth", "new.pth")
    for name, what in (
        ("new.pth", "a torch file"),
        ("old.pth", "a Python pickle"),
        ("m.tar", "a tar archive"),
    ):
        with pytest.raises(StepforwardError, match=what):
            load_onnx(tmp_path / name)
