"""Samples as arrays, in memory or in an .npz file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.dataset import Dataset
from stepforward.data.names import same_spelling, unknown_class
from stepforward.data.npz import Member, members, read_member, rows_of_member
from stepforward.data.observed import Observed
from stepforward.data.parts import PARTS, in_rows
from stepforward.data.readings import Reading, image_reading, input_reading
from stepforward.data.room import check_room
from stepforward.data.rows import Rows, finite_rows, rows_of
from stepforward.data.targets import check_names, read_targets
from stepforward.data.tokens import TABLE, vectors
from stepforward.errors import StepforwardError
from stepforward.graph.parts import Part

_MOST_CLASSES = 65536  # of data without names for a model without names: a stray label must not make millions
_X = {"x", "image", "images", "data", "input", "inputs", "feature", "features", "samples"}
_Y = {"y", "label", "labels", "target", "targets"}
_PARTS = ("train", "test", "val", "valid", "validation")
_NAMES = {"class_names", "classes", "label_names", "target_names"}


def read_arrays(
    path: Path, settings: dict, class_names: Sequence[str] | None, shape: tuple[int, ...] | None
) -> Dataset:
    """Read `x`, `y` and, if there, `class_names` from an .npz, or other names where only one reading is possible.

    With `class_names` in the file, labels index those and are matched to the model's by name.

    Args:
        settings: checked preprocessing settings; kind "image" also takes whole numbers, (N, H, W, C).
        class_names: the model's, or None to take the file's (or "0", "1", ... without any).
        shape: the (C, H, W) the model reads, or None if any will do.

    Raises:
        StepforwardError: not a plain .npz, or x, y or class_names have the wrong shape, type or range.
    """
    arrays = members(path)
    notes: tuple[str, ...] = ()
    if parts := settings.get(PARTS):
        y, samples = _labels(path, arrays, parts), _rows_of_parts(path, arrays, parts)
    else:
        x, y, notes = _pair(path, arrays)
        samples = rows_of_member(arrays[x])
    named = [name for name in arrays if name in _NAMES and arrays[name].dtype.kind == "U"]
    named = ["class_names"] if "class_names" in arrays else named if len(named) == 1 else []
    labels = read_member(arrays[y])
    return _dataset(
        str(path),
        samples,
        labels,
        read_member(arrays[named[0]]) if named else None,
        tuple(f"{path.name}[{row}]" for row in range(len(labels) if labels.ndim else 0)),
        settings,
        class_names,
        shape,
        notes,
    )


def read_samples(path: Path, settings: dict, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Network inputs from the `x` of an .npz, without its labels; arguments as of `read_arrays`.

    Raises:
        StepforwardError: as of `read_arrays`.
    """
    arrays = members(path)
    if parts := settings.get(PARTS):
        rows = _rows_of_parts(path, arrays, parts)
        return _samples(str(path), rows, settings, shape, Observed(settings), None)[0]
    xs = ["x"] if "x" in arrays else [name for name in arrays if _base(name) in _X]
    if len(xs) != 1:
        raise StepforwardError(
            f"{path} has no array 'x' (arrays: {_shown(arrays)})",
            "save the samples as x: numpy.savez(file, x=..)",
        )
    return _samples(str(path), rows_of_member(arrays[xs[0]]), settings, shape, Observed(settings), None)[0]


def check_samples(
    where: str, x: NDArray, settings: dict, shape: tuple[int, ...] | None
) -> NDArray[np.float32]:
    """Network inputs of samples without labels; arguments as of `check_arrays`.

    Raises:
        StepforwardError: wrong shape or type, or NaN or Inf.
    """
    return _samples(where, rows_of(x), settings, shape, Observed(settings), None)[0]


def check_arrays(
    where: str,
    x: NDArray,
    y: NDArray,
    own_names: NDArray | None,
    sources: tuple[str, ...] | None,
    settings: dict,
    class_names: Sequence[str] | None,
    shape: tuple[int, ...] | None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A dataset of arrays that may hold anything.

    Args:
        where: how messages name the arrays.
        own_names: class names that `y` indexes, matched to the model's by name; None: `y` counts the model's.
        sources: one label per sample for reports; default: "sample 0" and so on.
        settings, class_names, shape: the model's, as of `read_arrays`.
        notes: what is known about the data already.

    Raises:
        StepforwardError: wrong shape, type or range, NaN or Inf, or a class the model does not have.
    """
    return _dataset(where, rows_of(x), y, own_names, sources, settings, class_names, shape, notes)


def _dataset(
    where: str,
    x: Rows,
    y: NDArray,
    own_names: NDArray | None,
    sources: tuple[str, ...] | None,
    settings: dict,
    class_names: Sequence[str] | None,
    shape: tuple[int, ...] | None,
    notes: tuple[str, ...],
) -> Dataset:
    targets = read_targets(where, y)
    count = len(targets.y)
    if len(x.shape) == 0 or x.shape[0] != count:
        raise StepforwardError(
            f"{where}: x holds {x.shape[0] if x.shape else 'no'} samples but y {count} labels",
            "give one label per sample",
        )
    if not count:
        raise StepforwardError(f"{where} holds no samples", "add samples of the classes to adapt to")
    known = class_names if own_names is None else own_names
    if y.ndim == 2 and y.shape[1] > 1 and known is not None and len(known) != y.shape[1]:
        raise StepforwardError(
            f"{where}: y is one-hot for {y.shape[1]} classes, and there are {len(known)}",
            "give y as class numbers, shape (N,)",
        )
    if targets.names is not None and own_names is not None:
        _must_name(where, targets.names, check_names(where, "class_names", own_names))
    if targets.names is not None:
        own_names = np.array(targets.names)
    names, labels = _match_classes(where, targets.y, own_names, class_names)
    sources = sources or tuple(f"sample {row}" for row in range(count))
    observed = Observed(settings)
    inputs, said = _samples(where, x, settings, shape, observed, sources)
    assumed = tuple(note for note in (targets.note, said) if note)
    return Dataset(inputs, labels, names, sources, (*notes, *assumed, *observed.notes(where)))


def _pair(path: Path, arrays: dict[str, Member]) -> tuple[str, str, tuple[str, ...]]:
    """The names of samples and labels among the arrays of a file, and a note where they are not x and y."""
    if {"x", "y"} <= arrays.keys():
        return "x", "y", ()
    present = _shown(arrays)
    xs, ys = ([name for name in arrays if _base(name) in known] for known in (_X, _Y))
    if not xs and not ys and len(arrays) == 2:  # such as arr_0 and arr_1
        xs, ys = (
            [name for name in arrays if (len(arrays[name].shape) > 1) == many] for many in (True, False)
        )
    if len(xs) == 1 and len(ys) == 1:
        return xs[0], ys[0], (f"{path}: {xs[0]} is read as the samples x, {ys[0]} as the labels y",)
    remedy = "save samples and labels under these names: numpy.savez(file, x=.., y=..)"
    if len(xs) > 1 or len(ys) > 1:
        raise StepforwardError(f"{path} holds more than one x or y (arrays: {present})", remedy)
    if xs:
        raise _without_labels(path, arrays)
    raise StepforwardError(f"{path} has no array 'x' (arrays: {present})", remedy)


def _labels(path: Path, arrays: dict[str, Member], parts: Sequence[Part]) -> str:
    """The name of the labels next to the inputs of a network of several."""
    inputs = {part.name for part in parts}
    found = ["y"] if "y" in arrays else [name for name in arrays if _base(name) in _Y and name not in inputs]
    if len(found) != 1:
        raise _without_labels(path, arrays)
    return found[0]


def _without_labels(path: Path, arrays: dict[str, Member]) -> StepforwardError:
    return StepforwardError(
        f"{path} has no array 'y' (arrays: {_shown(arrays)}): samples without labels",
        "stepforward learns from labelled samples and measures on them: add y, one class number per sample; "
        "without labels: adapt --method match",
    )


def _rows_of_parts(path: Path, arrays: dict[str, Member], parts: Sequence[Part]) -> Rows:
    given = {part.name: read_member(arrays[part.name]) for part in parts if part.name in arrays}
    return rows_of(in_rows(str(path), given, parts))


def _shown(arrays: dict[str, Member]) -> str:
    return ", ".join(f"{name} {arrays[name].shape}" for name in list(arrays)[:20]) or "none"


def _base(name: str) -> str:
    """The name without what says which part of the data it is: "x_train" and "train_x" are "x"."""
    words = [word for word in name.lower().split("_") if word not in _PARTS]
    return "_".join(words)


def _must_name(where: str, labels: Sequence[str], names: Sequence[str]) -> None:
    known = {same_spelling(name) for name in names}
    for label in labels:
        if same_spelling(label) not in known:
            raise StepforwardError(
                f"{where}: label {label!r} is not among class_names",
                "add it to class_names, or leave class_names out",
            )


def _match_classes(
    where: str, y: NDArray[np.int64], own: NDArray | None, model: Sequence[str] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    own_names = None if own is None else tuple(check_names(where, "class_names", own))
    if own_names is not None and len(set(own_names)) < len(own_names):
        double = next(name for name in own_names if own_names.count(name) > 1)
        raise StepforwardError(
            f"{where}: class name {double!r} appears twice", "give every class a name of its own"
        )
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


def _samples(
    where: str,
    x: Rows,
    settings: dict,
    shape: tuple[int, ...] | None,
    observed: Observed,
    sources: Sequence[str] | None,
) -> tuple[NDArray[np.float32], str]:
    """Network inputs, and what was assumed ("" for nothing)."""
    if not x.shape or not x.shape[0]:
        raise StepforwardError(f"{where} holds no samples", "give at least one")
    if x.dtype.kind in "iu" and settings["kind"] == "image":
        return _images(
            where, x, settings, observed, sources or [f"sample {row}" for row in range(x.shape[0])]
        )
    if TABLE in settings:
        return vectors(where, x, settings[TABLE], tuple(shape or ())), ""
    return _inputs(where, x, shape, settings)


def _images(
    where: str, x: Rows, settings: dict, observed: Observed, sources: Sequence[str]
) -> tuple[NDArray[np.float32], str]:
    reading = image_reading(x.shape[1:], settings)
    if reading is None:
        raise StepforwardError(
            f"{where}: x is {x.dtype} of shape {x.shape}; this model reads images (N, H, W, {settings['channels']})",
            "give the images in that shape",
        )
    inputs, row = _room(where, (x.shape[0], *(prep.input_shape(settings) or ()))), 0
    for block in x.blocks():
        for image in reading.turn(_eight_or_sixteen_bits(where, block)):
            observed.see(image, sources[row])
            inputs[row] = prep.apply(settings, image)
            row += 1
    return inputs, _said(where, x, reading)


def _eight_or_sixteen_bits(where: str, block: NDArray) -> NDArray:
    if block.dtype in (np.uint8, np.uint16):
        return block.astype(block.dtype.newbyteorder("="))
    if block.size and (block.min() < 0 or block.max() > 255):
        raise StepforwardError(
            f"{where}: x is {block.dtype} with values from {block.min()} to {block.max()}",
            "give images as uint8 (0 to 255) or uint16",
        )
    return block.astype(np.uint8)


def _inputs(
    where: str, x: Rows, shape: tuple[int, ...] | None, settings: dict
) -> tuple[NDArray[np.float32], str]:
    if x.dtype.kind != "f":
        raise StepforwardError(
            f"{where}: x is {x.dtype}; the network's input is float32",
            "give x as float32, normalised as in training (whole numbers are for models that read images: "
            'preprocessing of kind "image")',
        )
    wanted = f"(N, {', '.join(map(str, shape))})" if shape else "(N, C, H, W)"
    last = settings.get("channels_last", False)
    reading = input_reading(x.shape[1:], tuple(shape) if shape else x.shape[1:], last)
    if 0 in x.shape or reading is None or (shape is None and len(x.shape) != 4):
        parts = ", ".join(part.name for part in settings.get(PARTS, ()))
        raise StepforwardError(
            f"{where}: x has shape {x.shape}; the model reads {wanted}",
            f"give one array for each input, by its name: {parts}" if parts else "give x in that shape",
        )
    if x.array is not None and not reading.said and x.array.dtype == np.float32:
        inputs = np.ascontiguousarray(x.array)
        _check_finite(where, inputs, 0)
    else:
        inputs, row = _room(where, (x.shape[0], *(shape or x.shape[1:]))), 0
        for block in x.blocks():
            with np.errstate(over="ignore"):
                inputs[row : row + len(block)] = reading.turn(block)
            _check_finite(where, inputs[row : row + len(block)], row)
            row += len(block)
    return inputs, _said(where, x, reading) or _unscaled(where, inputs, settings)


def _check_finite(where: str, inputs: NDArray[np.float32], first: int) -> None:
    broken = np.flatnonzero(~finite_rows(inputs))
    if len(broken):
        raise StepforwardError(
            f"{where}: sample {first + broken[0]} holds NaN or Inf",
            "remove it, or compute its features again",
        )


def _unscaled(where: str, inputs: NDArray[np.float32], settings: dict) -> str:
    """A note about floats that look like pixels of 0 to 255 where the network reads normalised ones."""
    if settings["kind"] != "image":
        return ""
    ends = [
        (white - mean) / std
        for mean, std in zip(settings["mean"], settings["std"], strict=True)
        for white in (0, 1)
    ]
    largest = float(inputs.max())
    if largest <= 10 * max(1.0, *map(abs, ends)):
        return ""
    return (
        f"{where}: x is float with values up to {largest:g} and taken as it is, where normalised images lie between "
        f"{min(ends):.3g} and {max(ends):.3g}; pixels go through the preprocessing as uint8"
    )


def _room(where: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    check_room(where, shape)
    return np.empty(shape, dtype=np.float32)


def _said(where: str, x: Rows, reading: Reading) -> str:
    return f"{where}: x has shape {x.shape}; {reading.said}" if reading.said else ""
