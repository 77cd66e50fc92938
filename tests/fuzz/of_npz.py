"""Archives of arrays: headers, types, sizes and compression change, the archive stays whole; sometimes it does not."""

import io
import struct
import warnings
import zipfile
from random import Random

import numpy as np

from fuzz.mutate import mutated_bytes, mutated_text, number
from fuzz.place import as_file
from stepforward.data.arrays import read_arrays

SUFFIX = ".npz"
_X = (np.arange(6 * 64) % 7).astype(np.float32).reshape(6, 1, 8, 8)
_ARRAYS = {"x": _X, "y": np.arange(6) % 3, "class_names": np.array(["a", "b", "c"])}
_DESCRIPTIONS = (
    "<f4",
    "<f8",
    ">f4",
    "<f2",
    "<i8",
    "|u1",
    "<u2",
    "|b1",
    "<U1",
    "<U0",
    "<U4",
    "|S3",
    "|O",
    "<c8",
    "<M8[s]",
    "|V7",
)
_DESCRIPTIONS += ("[('a', '<f4')]", "<f16", "|i1", "=f4", "x", "<U999999999", "(3,)f4")
_SETTINGS = {"kind": "array"}
_IMAGES = {"kind": "image", "height": 8, "width": 8, "channels": 1, "mean": [0.5], "std": [0.25]}


def make(rng: Random) -> bytes:
    """An archive whose members are a little wrong."""
    members = {f"{name}.npy": _member(rng, array) for name, array in _ARRAYS.items()}
    if rng.random() < 0.1:
        name = rng.choice(sorted(members))
        new = rng.choice(
            ("X.npy", "labels.npy", "x_train.npy", "x", "../x.npy", "z.npy", "targets.npy", "y.npy")
        )
        members[new] = members.pop(name) if rng.random() < 0.7 else members[name]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(file, "w", rng.choice((0, 0, 8, 12, 14))) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
                if rng.random() < 0.01:
                    archive.writestr(name, content)
    content = file.getvalue()
    return mutated_bytes(rng, content) if rng.random() < 0.2 else content


def _member(rng: Random, array: np.ndarray) -> bytes:
    shape, description, fortran, data = array.shape, array.dtype.str, False, array.tobytes()
    if rng.random() < 0.4:
        kind = rng.randrange(6)
        if kind == 0:
            description = rng.choice(_DESCRIPTIONS)
        elif kind == 1:
            at = rng.randrange(len(shape))
            shape = (*shape[:at], rng.choice((-1, 0, shape[at] + 1, number(rng), 2**62)), *shape[at + 1 :])
        elif kind == 2:
            shape = rng.choice(((), (0,), shape[::-1], (*shape, 1), shape[:-1], (array.size,), (1,) * 40))
        elif kind == 3:
            fortran = rng.choice((True, 1, None))
        elif kind == 4:
            data = mutated_bytes(rng, data)
        else:
            values = rng.choice((np.nan, np.inf, -1, 255, 1e38, 3))
            with np.errstate(all="ignore"):
                data = (
                    np.full_like(array, values if array.dtype.kind != "U" else "\x1b").tobytes()
                    if (array.dtype.kind == "f" or array.dtype.kind == "U" or np.isfinite(values))
                    and not (array.dtype.kind == "i" and abs(values) > 2**60)
                    else data
                )
    header = repr({"descr": description, "fortran_order": fortran, "shape": shape})
    if rng.random() < 0.05:
        header = mutated_text(rng, header)
    text = header.encode("latin-1", "replace")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    version = rng.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9))) if rng.random() < 0.05 else (1, 0)
    length = struct.pack("<H", len(text) % 2**16) if version == (1, 0) else struct.pack("<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def read(content: bytes) -> None:
    """Samples and labels of a network with three classes, once as its input and once as images."""
    path = as_file(content, "data.npz")
    settings = _IMAGES if len(content) % 2 else _SETTINGS
    read_arrays(path, settings, ("a", "b", "c") if len(content) % 3 else None, (1, 8, 8))
