"""Samples without labels: a folder of files, or arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepforward.data.listing import loose_samples
from stepforward.data.npz import members
from stepforward.graph.parts import Part


def has_no_labels(data: Any, settings: dict, parts: Sequence[Part] = ()) -> bool:
    """Whether data that a person gave are samples alone: a folder without sub-folders, an .npz of one array (of one
    for each input of a network of several), or an array, or one for each input.

    Args:
        data: a path, arrays, or a `Dataset`.
        settings: of the model's preprocessing.
        parts: of a network of several inputs, what they are.
    """
    if isinstance(data, (np.ndarray, Mapping)):
        return True
    if not isinstance(data, (str, Path)):
        return False
    path = Path(data)
    if path.is_dir():
        return bool(loose_samples(path, settings)) and not any(entry.is_dir() for entry in path.iterdir())
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    given = [name for name in members(path) if name != "class_names"]
    return set(given) <= {part.name for part in parts} if parts else len(given) == 1


def flat_files(data: Any, settings: dict) -> Any:
    """The files of a folder without sub-folders; any other data as it is."""
    if isinstance(data, (str, Path)) and Path(data).is_dir():
        return loose_samples(Path(data), settings)
    return data
