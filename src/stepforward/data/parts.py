"""Samples of a network of several inputs: an array for each, laid in a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data.room import check_room
from stepforward.errors import StepforwardError
from stepforward.graph.parts import Part

PARTS = "parts"
"""The entry of preprocessing settings that holds the inputs of a network of several. It comes from the network itself,
never from its metadata."""


def as_array(where: str, x: Any, parts: Sequence[Part]) -> NDArray[Any]:
    """Samples that a caller gave as one array: an array as it is, arrays by name in rows (`in_rows`)."""
    return in_rows(where, x, parts) if isinstance(x, Mapping) else np.asarray(x)


def in_rows(where: str, arrays: Mapping[str, Any], parts: Sequence[Part]) -> NDArray[np.float32]:
    """What the network reads: of every sample the numbers of all inputs, shape (n, numbers).

    Args:
        where: how messages name the samples.
        arrays: by the name of an input, float (n, *shape); others are left alone.
        parts: the inputs.

    Raises:
        StepforwardError: an input has no array, or one of another shape, type or number of samples, by name; or there
            are no several inputs.
    """
    if not parts:
        raise StepforwardError(
            f"{where} are arrays by name ({', '.join(arrays) or 'none'}), and the network has one input",
            "give the array itself",
        )
    wanted = ", ".join(f"{part.name} (N, {', '.join(map(str, part.shape))})" for part in parts)
    missing = next((part.name for part in parts if part.name not in arrays), None)
    if missing is not None:
        raise StepforwardError(
            f"{where} has no array {missing!r} (arrays: {', '.join(arrays) or 'none'}); the network reads {wanted}",
            "give one array for each input, by its name: numpy.savez(file, "
            f"{', '.join(f'{part.name}=..' for part in parts)}, y=..)",
        )
    given = [np.asarray(arrays[part.name]) for part in parts]
    for part, array in zip(parts, given, strict=True):
        if array.dtype.kind != "f" or array.shape[1:] != part.shape or array.ndim != len(part.shape) + 1:
            raise StepforwardError(
                f"{where}: {part.name} is {array.dtype} of shape {array.shape}; the network reads {wanted}",
                "give it as float32, in that shape, normalised as in training",
            )
        if len(array) != len(given[0]):
            raise StepforwardError(
                f"{where}: {part.name} holds {len(array)} samples and {parts[0].name} {len(given[0])}",
                "give every sample all inputs",
            )
    count = len(given[0])
    check_room(where, (count, sum(part.size for part in parts)))
    with np.errstate(over="ignore"):
        return np.concatenate([array.reshape(count, -1).astype(np.float32) for array in given], axis=1)
