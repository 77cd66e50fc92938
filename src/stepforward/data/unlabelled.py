"""Samples without labels: a folder of files, or arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from stepforward.data.listing import loose_samples
from stepforward.data.npz import members


def has_no_labels(data: Any, settings: dict) -> bool:
    """Whether data that a person gave are samples alone: a folder without sub-folders, an .npz of one array, or
    an array.

    Args:
        data: a path, arrays, or a `Dataset`.
        settings: of the model's preprocessing.
    """
    if isinstance(data, np.ndarray):
        return True
    if not isinstance(data, (str, Path)):
        return False
    path = Path(data)
    if path.is_dir():
        return bool(loose_samples(path, settings)) and not any(entry.is_dir() for entry in path.iterdir())
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    return len([name for name in members(path) if name != "class_names"]) == 1


def flat_files(data: Any, settings: dict) -> Any:
    """The files of a folder without sub-folders; any other data as it is."""
    if isinstance(data, (str, Path)) and Path(data).is_dir():
        return loose_samples(Path(data), settings)
    return data
