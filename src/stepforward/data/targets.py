"""Labels as class numbers, where that is what they can be read as; otherwise the task they belong to, by name."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError

_CLASSIFIES = "stepforward adapts classifiers: give y as one class number per sample, shape (N,)"


class Targets(NamedTuple):
    """Labels read as classes.

    Attributes:
        y: class numbers, int64, shape (N,); they index `names` where there are any.
        names: the class names that the labels themselves are, sorted, or None.
        note: what was assumed, or "".
    """

    y: NDArray[np.int64]
    names: tuple[str, ...] | None
    note: str


def read_targets(where: str, y: NDArray) -> Targets:
    """Class numbers, whole floats, one-hot rows or class names.

    Raises:
        StepforwardError: labels of another task: regression, several labels for a sample, labels of pixels.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        targets = read_targets(where, y[:, 0])
        return targets._replace(
            note=targets.note or f"{where}: y of shape {y.shape} is read as one label per sample"
        )
    if y.ndim == 2 and y.dtype.kind in "iufb":
        return _one_hot(where, y)
    if y.ndim != 1:
        many = ": labels of pixels or frames" if y.ndim > 2 else ""
        raise StepforwardError(
            f"{where}: y is {y.dtype} of shape {y.shape}{many}, not one class per sample", _CLASSIFIES
        )
    if y.dtype.kind in "iu":
        return Targets(y.astype(np.int64), None, "")
    if y.dtype.kind == "b":
        return Targets(y.astype(np.int64), None, f"{where}: y is true and false, read as classes 1 and 0")
    if y.dtype.kind == "f":
        return _whole(where, y)
    return _names(where, y)


def _one_hot(where: str, y: NDArray) -> Targets:
    shown = f"{where}: y of shape {y.shape}"
    if ((y == 0) | (y == 1)).all():
        if (y.sum(axis=1) == 1).all():
            return Targets(y.argmax(axis=1), None, f"{shown} is one-hot, read as class numbers")
        row = int(np.flatnonzero(y.sum(axis=1) != 1)[0])
        raise StepforwardError(
            f"{shown} is multi-label: sample {row} has {int(y[row].sum())} labels",
            f"{_CLASSIFIES}, or one-hot rows",
        )
    if y.dtype.kind == "f" and (y >= 0).all() and np.allclose(y.sum(axis=1), 1, atol=1e-3):
        raise StepforwardError(
            f"{shown} holds probabilities of the classes (soft labels)",
            "give the most likely class of each sample: y.argmax(axis=1)",
        )
    raise StepforwardError(f"{shown} holds {y.shape[1]} values per sample, not one class", _CLASSIFIES)


def _whole(where: str, y: NDArray) -> Targets:
    broken = np.flatnonzero(y != np.rint(y))
    if len(broken) or not np.isfinite(y).all():
        value = y[broken[0]] if len(broken) else "Inf"
        raise StepforwardError(
            f"{where}: y is {y.dtype} with values such as {value}: regression, not classes",
            f"{_CLASSIFIES}; regression is not supported",
        )
    with np.errstate(invalid="ignore"):
        return Targets(
            y.astype(np.int64), None, f"{where}: y is {y.dtype}, whole numbers read as class numbers"
        )


def _names(where: str, y: NDArray) -> Targets:
    if y.dtype.kind == "O" and all(isinstance(label, str) for label in y):
        y = y.astype(str)
    if y.dtype.kind != "U":
        raise StepforwardError(f"{where}: y is {y.dtype}, not class numbers", _CLASSIFIES)
    names, numbers = np.unique(np.array(check_names(where, "y", y)), return_inverse=True)
    return Targets(numbers.astype(np.int64), tuple(names.tolist()), "")


def check_names(where: str, array: str, names: NDArray) -> list[str]:
    """The text of an array of names.

    Raises:
        StepforwardError: it is not a list of names, or one is empty or no text at all.
    """
    if names.ndim != 1 or names.dtype.kind != "U":
        raise StepforwardError(
            f"{where}: {array} is {names.dtype} of shape {names.shape}, not a list of names",
            f"give {array} as a one-dimensional array of text",
        )
    if not len(names):
        raise StepforwardError(
            f"{where}: {array} holds no names", f"give {array} one name per class, or leave it out"
        )
    codes = np.frombuffer(names.tobytes(), np.dtype("u4").newbyteorder(names.dtype.byteorder))
    codes = codes.reshape(len(names), -1)
    for position in range(len(names)):
        row = codes[position]
        if not row.any() or (row > 0x10FFFF).any() or ((row >= 0xD800) & (row < 0xE000)).any():
            fault = "is empty" if not row.any() else "is no text (a code beyond Unicode)"
            raise StepforwardError(
                f"{where}: {array}[{position}] {fault}", f"give {array} as names of one character or more"
            )
    return names.tolist()
