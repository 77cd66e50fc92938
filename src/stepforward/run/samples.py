"""Samples without labels, from files or arrays, as a network reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.arrays import check_samples
from stepforward.data.arrays import read_samples as read_arrays
from stepforward.data.parts import as_array
from stepforward.data.windows import read_unlabelled
from stepforward.errors import StepforwardError
from stepforward.run.complete import own_settings, settings_of
from stepforward.sources.source import Source


def read_samples(opened: Source, files: list[Path], samples: Any) -> tuple[NDArray[np.float32], list[str]]:
    """Samples and how messages name each of them.

    Args:
        opened: the model, completed.
        files: of `files_of`.
        samples: arrays, where there are no files.

    Raises:
        StepforwardError: a file or the array cannot be read, by name.
    """
    if not files:
        x = _from_array(opened, as_array("the samples", samples, opened.parts))
        return x, [f"sample {row}" for row in range(len(x))]
    parts = [_from_file(opened, file) for file in files]
    return np.concatenate([part for part, _ in parts]), [source for _, names in parts for source in names]


def files_of(samples: Any) -> list[Path]:
    """The paths in `samples`; [] for arrays."""
    if isinstance(samples, (str, Path)):
        return [Path(samples)]
    if isinstance(samples, (np.ndarray, Mapping)):
        return []
    items = list(samples)
    if not items:
        raise StepforwardError("there are no samples", "give files or an array")
    return [Path(item) for item in items] if all(isinstance(item, (str, Path)) for item in items) else []


def _from_file(opened: Source, file: Path) -> tuple[NDArray[np.float32], list[str]]:
    settings = settings_of(opened)
    if file.is_dir():
        raise StepforwardError(f"{file} is a folder", f"give files, such as {file}/*.png")
    if not file.exists():
        raise StepforwardError(f"{file} does not exist", "check the path")
    if file.suffix.lower() == ".npz" and opened.prepare is None:
        x = read_arrays(file, settings, opened.input_shape)
        return x, [f"{file}[{row}]" for row in range(len(x))]
    if file.suffix.lower() == ".csv" and settings["kind"] == "windows":
        return read_unlabelled(file, settings)
    return prep.apply(settings, prep.read(settings, file))[None], [str(file)]


def _from_array(opened: Source, x: NDArray) -> NDArray[np.float32]:
    settings = own_settings(opened)
    one = opened.given_shape if x.dtype.kind == "f" or opened.table is not None else ()
    if x.shape == one or (x.ndim == 3 and x.dtype == np.uint8):
        x = x[None]
    return check_samples("the samples", x, settings, opened.input_shape)
