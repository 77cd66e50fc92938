"""Files that are not ONNX, told by their content: what each is, and the way from it to a model that can be read."""

import zipfile
from pathlib import Path
from typing import NamedTuple

from stepforward.errors import StepforwardError

_HEAD = 4096

_TORCH_MODULE = (
    "load it in Python into its torch module, then sf.from_torch(module, example_input) or torch.onnx.export"
)
_TORCH = f"{_TORCH_MODULE}; stepforward loads no pickles: they can run any code"
_KERAS = "convert it: python -m tf2onnx.convert --keras FILE --output model.onnx (pip install tf2onnx)"
_DOWNLOAD = "the download went wrong: open the address in a browser, or fetch the raw file again"
_DATA = "the model comes first, as an .onnx file; samples go to --data"
_UNPACK = "unpack it, and give the .onnx file inside"


class Kind(NamedTuple):
    """What a file is, with its article, and what to do."""

    what: str
    remedy: str


_STARTS = (
    (b"version https://git-lfs", Kind("a Git LFS pointer, not the model itself", "fetch it: git lfs pull")),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file, as Keras writes", _KERAS)),
    (b"GGUF", Kind("a GGUF file of a language model", "give a classifier as an .onnx file")),
    (b"SFP", Kind("a stepforward program", "give the .onnx file it was made from")),
    (b"SFJ", Kind("a stepforward journal", "give its base: stepforward replay MODEL JOURNAL --out FILE")),
    (b"SFT1", Kind("a stepforward training plan", "give the .onnx file it was made for")),
    (b"\x93NUMPY", Kind("a NumPy array", _DATA)),
    (b"\x89PNG", Kind("a PNG image", _DATA)),
    (b"\xff\xd8\xff", Kind("a JPEG image", _DATA)),
    (b"RIFF", Kind("a sound or image file (RIFF)", _DATA)),
    (b"fLaC", Kind("a sound file (FLAC)", _DATA)),
    (b"OggS", Kind("a sound file (Ogg)", _DATA)),
    (b"\x1f\x8b", Kind("a gzip archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK)),
    (b"\xfd7zXZ\0", Kind("an xz archive", _UNPACK)),
    (b"BZh", Kind("a bzip2 archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind("a zstd archive", _UNPACK)),
    (b"%PDF", Kind("a PDF document", "give an .onnx file")),
    (b"\x7fELF", Kind("a compiled library or program", "give the .onnx file it was made from")),
)  # fmt: skip

_AT_FOUR = {
    b"TFL3": Kind(
        "a TensorFlow Lite model",
        "an int8 one is adapted as it is, a float one quantized first: stepforward adapt FILE --data DATA",
    ),
    b"ORTM": Kind("an ONNX Runtime (.ort) model", "give the .onnx file it was made from"),
}

_SUFFIXES = {
    ".mlmodel": Kind("a Core ML model", "export ONNX from the framework it was trained in"),
    ".pb": Kind(
        "a TensorFlow graph",
        "convert it: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx (pip install tf2onnx)",
    ),
    ".pt": Kind("a torch file", _TORCH),
    ".pth": Kind("a torch file", _TORCH),
    ".keras": Kind("a Keras model", _KERAS),
}


def refuse_other_files(path: Path) -> None:
    """Refuse what is recognised as something else than ONNX; a path that cannot be read passes.

    Raises:
        StepforwardError: naming what it is, and the way to a model.
    """
    try:
        kind = _folder(path) if path.is_dir() else _file(path) if path.is_file() else None
    except (OSError, ValueError):
        return
    if kind is not None:
        raise StepforwardError(f"{path} is {kind.what}", kind.remedy.replace("FILE", str(path)))


def unreadable(path: Path, why: str) -> StepforwardError:
    """The error for a file that could not be read as ONNX: what it looks like, or `why`."""
    kind = _SUFFIXES.get(path.suffix.lower()) or _text(_head(path))
    if kind is not None:
        return StepforwardError(f"{path} is {kind.what}", kind.remedy)
    return StepforwardError(
        f"{path} is not a readable ONNX model: {why}",
        "it may be truncated or another kind of file: export or copy it again",
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _file(path: Path) -> Kind | None:
    head = _head(path)
    if path.stat().st_size == 0:
        return Kind("empty: 0 bytes", "copy, export or download it again")
    found = next((kind for start, kind in _STARTS if head.startswith(start)), None) or _AT_FOUR.get(head[4:8])
    if found is not None:
        return found
    if head[257:262] == b"ustar":
        return Kind("a tar archive", _UNPACK)
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind("a Python pickle, as torch and scikit-learn write", _TORCH)
    if _is_safetensors(head, path.stat().st_size):
        return Kind("a safetensors file: weights without a network", _TORCH_MODULE)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return Kind("a web page (HTML)", _DOWNLOAD)
    if text.startswith((b"<?xml", b"<net ")):
        return Kind("an XML file, as OpenVINO writes", "give the .onnx file it was made from")
    return None


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= size - 8 and head[8:9] == b"{" and head[9:].lstrip()[:1] in (b'"', b"}")


def _zip(path: Path) -> Kind:
    """Torch, Keras and NumPy all write zip archives; the names inside tell them."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:10_000]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return _SUFFIXES.get(path.suffix.lower()) or Kind(
            "a damaged zip archive", "copy or download it again"
        )
    ends = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in ends and any("/code/" in name for name in names):
        return Kind("a TorchScript archive", _TORCH)
    if "data.pkl" in ends:
        return Kind("a torch file", _TORCH)
    if any(name.endswith(".weights.h5") for name in names):
        return Kind("a Keras model", _KERAS)
    if "archive_format" in ends or any(name.endswith(".pt2") for name in names):
        return Kind("an exported torch program", _TORCH)
    if names and all(name.endswith(".npy") for name in names):
        return Kind("an archive of NumPy arrays (.npz)", _DATA)
    inside = next((name for name in names if name.endswith(".onnx")), None)
    return Kind("a zip archive", f"unpack it, and give {inside}" if inside else "give an .onnx file")


def _folder(path: Path) -> Kind | None:
    names = sorted(entry.name for entry in path.iterdir())
    models = [name for name in names if name.endswith(".onnx")]
    if "saved_model.pb" in names:
        return Kind(
            "a folder with a TensorFlow SavedModel", _SUFFIXES[".pb"].remedy.replace("FOLDER", str(path))
        )
    if path.suffix == ".mlpackage":
        return Kind("a Core ML package", _SUFFIXES[".mlmodel"].remedy)
    best = "adapted.onnx" if "adapted.onnx" in models else models[0] if models else None
    if best:
        return Kind("a folder, not a file", f"give the file in it: {path / best}")
    return Kind("a folder, not a file", _DATA)


def _text(head: bytes) -> Kind | None:
    """A file that begins as text does: most often the message of a server that had no such file."""
    try:
        text = head[:200].decode()
    except UnicodeDecodeError:
        return None
    if not text or not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        return None
    first = text.strip().splitlines()[0][:60] if text.strip() else ""
    return Kind(f"text that begins {first!r}", _DOWNLOAD + ", or give the .onnx file itself")
