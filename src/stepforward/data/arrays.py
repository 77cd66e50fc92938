"""Samples as arrays, in memory or in an .npz file."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.dataset import Dataset
from stepforward.data.names import same_spelling, unknown_class
from stepforward.errors import StepforwardError

_MOST_CLASSES = 65536  # of data without names for a model without names: a stray label must not make millions


def read_arrays(
    path: Path, settings: dict, class_names: Sequence[str] | None, shape: tuple[int, ...] | None
) -> Dataset:
    """Read `x`, `y` and, if there, `class_names` from an .npz.

    With `class_names` in the file, labels index those and are matched to the model's by name.

    Args:
        settings: checked preprocessing settings; kind "image" also takes uint8 (N, H, W, C).
        class_names: the model's, or None to take the file's (or "0", "1", ... without any).
        shape: the (C, H, W) the model reads, or None if any will do.

    Raises:
        StepforwardError: not a plain .npz, or x, y or class_names have the wrong shape, type or range.
    """
    arrays = _read(path)
    rows = tuple(f"{path.name}[{row}]" for row in range(arrays["y"].size))
    return check_arrays(
        str(path), arrays["x"], arrays["y"], arrays.get("class_names"), rows, settings, class_names, shape
    )


def read_samples(path: Path, settings: dict, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Read `x` of an .npz as network inputs, whatever labels lie next to it.

    Raises:
        StepforwardError: as of `read_arrays`.
    """
    return check_samples(str(path), _read(path, ("x",))["x"], settings, shape)


def check_samples(
    where: str, x: NDArray, settings: dict, shape: tuple[int, ...] | None
) -> NDArray[np.float32]:
    """Network inputs of samples without labels; arguments as of `check_arrays`.

    Raises:
        StepforwardError: wrong shape or type, or NaN or Inf.
    """
    if x.ndim == 0 or not len(x):
        raise StepforwardError(f"{where} holds no samples", "give at least one")
    if x.dtype == np.uint8 and settings["kind"] == "image":
        return _pictures(where, x, settings)
    return _inputs(where, x, shape)


def check_arrays(
    where: str,
    x: NDArray,
    y: NDArray,
    own_names: NDArray | None,
    sources: tuple[str, ...] | None,
    settings: dict,
    class_names: Sequence[str] | None,
    shape: tuple[int, ...] | None,
) -> Dataset:
    """A dataset of arrays that may hold anything.

    Args:
        where: how messages name the arrays.
        own_names: class names that `y` indexes, matched to the model's by name; None: `y` counts the model's.
        sources: one label per sample for reports; default: "sample 0" and so on.
        settings, class_names, shape: the model's, as of `read_arrays`.

    Raises:
        StepforwardError: wrong shape, type or range, NaN or Inf, or a class the model does not have.
    """
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise StepforwardError(
            f"{where}: y is {y.dtype} of shape {y.shape}, not one whole number per sample",
            "give y as int64 class indices of shape (N,)",
        )
    if x.ndim == 0 or len(x) != len(y):
        raise StepforwardError(
            f"{where}: x holds {len(x) if x.ndim else 'no'} samples but y {len(y)} labels",
            "give one label per sample",
        )
    if not len(y):
        raise StepforwardError(f"{where} holds no samples", "add samples of the classes to adapt to")
    names, y = _match_classes(where, y.astype(np.int64), own_names, class_names)
    inputs = check_samples(where, x, settings, shape)
    return Dataset(inputs, y, names, sources or tuple(f"sample {row}" for row in range(len(y))))


def _read(path: Path, needed: tuple[str, ...] = ("x", "y")) -> dict[str, NDArray]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("x", "y", "class_names") if name in file.files}
            present = ", ".join(file.files)
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("an entry is not a NumPy array")
    except (
        OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, NotImplementedError, RuntimeError,
        MemoryError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise StepforwardError(
            f"{path} cannot be read as an .npz ({error})",
            "save plain arrays with numpy.savez(file, x=.., y=..); object arrays are never loaded",
        ) from error
    for name in needed:
        if name not in arrays:
            raise StepforwardError(
                f"{path} has no array {name!r} (it has: {present})", f"save {' and '.join(needed)}"
            )
    return arrays


def _match_classes(
    where: str, y: NDArray[np.int64], own: NDArray | None, model: Sequence[str] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if own is not None and (own.ndim != 1 or own.dtype.kind != "U"):
        raise StepforwardError(
            f"{where}: class_names is {own.dtype} of shape {own.shape}, not a list of names",
            "give class_names as a one-dimensional array of text",
        )
    own_names = None if own is None else tuple(own.tolist())
    known = own_names or (tuple(model) if model is not None else None)
    count = len(known) if known else min(max(int(y.max()) + 1, 1), _MOST_CLASSES)
    wrong = np.flatnonzero((y < 0) | (y >= count))
    if len(wrong):
        raise StepforwardError(
            f"{where}: label {y[wrong[0]]} of sample {wrong[0]} is outside 0 .. {count - 1}",
            f"use labels from 0 to {count - 1}, in the order of the class names",
        )
    if model is None:
        return known or tuple(str(label) for label in range(count)), y
    model = tuple(model)
    if own_names is None or own_names == model:
        return model, y
    target, spelled = np.zeros(count, dtype=np.int64), [same_spelling(name) for name in model]
    for label in np.unique(y).tolist():
        name = same_spelling(own_names[label])
        if name not in spelled:
            raise unknown_class(name, f"{where}, class_names[{label}]", model)
        target[label] = spelled.index(name)
    return model, target[y]


def _pictures(where: str, x: NDArray[np.uint8], settings: dict) -> NDArray[np.float32]:
    channels = settings["channels"]
    if x.ndim != 4 or x.shape[3] != channels or 0 in x.shape:
        raise StepforwardError(
            f"{where}: x is uint8 of shape {x.shape}; this model reads pictures (N, H, W, {channels})",
            "give the pictures in that shape",
        )
    return np.stack([prep.apply(settings, picture) for picture in x])


def _inputs(where: str, x: NDArray, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    if x.dtype.kind != "f":
        raise StepforwardError(
            f"{where}: x is {x.dtype}; the network's input is float32",
            "give x as float32, normalised as in training (uint8 is for models that read pictures)",
        )
    wanted = f"(N, {', '.join(map(str, shape))})" if shape else "(N, C, H, W)"
    if 0 in x.shape or (x.ndim != 4 if shape is None else x.shape[1:] != tuple(shape)):
        raise StepforwardError(
            f"{where}: x has shape {x.shape}; the model reads {wanted}", "give x in that shape"
        )
    with np.errstate(over="ignore"):
        inputs = np.ascontiguousarray(x, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1))
    if len(broken):
        raise StepforwardError(
            f"{where}: sample {broken[0]} holds NaN or Inf", "remove it, or compute its features again"
        )
    return inputs
