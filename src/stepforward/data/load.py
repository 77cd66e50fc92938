"""Read labelled data from a folder, a CSV or an .npz, check it, and say clearly what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.arrays import read_arrays
from stepforward.data.csv_list import list_csv
from stepforward.data.dataset import Dataset
from stepforward.data.files import LabelledFile
from stepforward.data.function import Prepare, function_settings
from stepforward.data.listing import list_folder
from stepforward.data.names import same_spelling, unknown_class
from stepforward.data.observed import Observed, left_out
from stepforward.data.parts import PARTS
from stepforward.data.room import check_room
from stepforward.data.tokens import TABLE
from stepforward.data.windows import read_windows
from stepforward.errors import StepforwardError
from stepforward.graph.parts import Part

Purpose = Literal["adapt", "test"]


def load(
    path: str | Path,
    preprocessing: dict | Prepare,
    class_names: Sequence[str] | None = None,
    purpose: Purpose = "adapt",
    input_shape: Sequence[int] | None = None,
    table: NDArray[np.float32] | None = None,
    parts: Sequence[Part] = (),
) -> Dataset:
    """Load labelled samples as network inputs.

    `path` is one of

    - a folder with one sub-folder per class, holding images or sounds as the model reads, in folders of their own
      if you like;
    - a `.csv` of `path,label` rows, paths relative to the CSV, label a class name, header optional;
    - a `.csv` of a recording, for a model that reads windows of one (kind "windows"): a column for each channel, one
      for the label, a row for each time step;
    - a `.npz` with `x` and `y` (class indices) and optionally `class_names`; x is float32 (N, C, H, W), the
      network's input itself, or uint8 images (N, H, W, C) for a model that reads images.

    Samples come class by class in the model's order, files by name (folder), or as given (CSV, .npz).

    Args:
        preprocessing: the model's settings (see `preprocessing`), or a function from the path of a file to one sample
            of `input_shape`.
        class_names: the model's classes in the order of its outputs; None takes the data's own, sorted.
        purpose: "adapt" also refuses data of one class and fewer samples than classes.
        input_shape: the model's (C, H, W), checked against an .npz.
        table: of a model of token ids, what each id stands for, float32 (ids, D): samples are ids, (N, tokens).
        parts: of a model of several inputs, what they are: an .npz has an array for each, by its name.

    Raises:
        StepforwardError: anything missing, damaged, mislabelled or of the wrong shape or type, by name.
    """
    path = Path(path)
    if callable(preprocessing):
        settings = function_settings(preprocessing, tuple(input_shape or ()))
    else:
        settings = prep.check_preprocessing(preprocessing)
    settings = settings if table is None else settings | {TABLE: table}
    settings = settings | {PARTS: parts} if parts else settings
    if not path.exists():
        raise StepforwardError(f"{path} does not exist", "check the path given as data")
    shape = tuple(input_shape) if input_shape else prep.input_shape(settings)
    if path.is_dir():
        listing = list_folder(path, settings)
        notes = left_out(str(path), settings, listing.skipped, listing.unlabelled)
        dataset = _from_files(listing.files, path, settings, class_names, notes)
    elif path.suffix.lower() == ".csv":
        if settings["kind"] == "windows":
            dataset = read_windows(path, settings, class_names)
        else:
            dataset = _from_files(list_csv(path), path, settings, class_names, ())
    elif path.suffix.lower() == ".npz" and settings["kind"] == "function":
        raise StepforwardError(
            f"{path} holds arrays, and a preprocessing function reads files",
            "leave preprocess out, or give files",
        )
    elif path.suffix.lower() == ".npz":
        dataset = read_arrays(path, settings, class_names, shape)
    elif path.suffix.lower() == ".npy":
        raise StepforwardError(
            f"{path} is one array; samples and labels are needed in one file",
            "join them: numpy.savez('data.npz', x=numpy.load('x.npy'), y=numpy.load('y.npy'))",
        )
    else:
        raise StepforwardError(
            f"{path} is neither a folder, a .csv nor an .npz",
            "give a folder with one sub-folder per class, a CSV of path,label, or an .npz with x and y",
        )
    check_amount(dataset, str(path), purpose)
    return dataset


def _from_files(
    files: list[LabelledFile],
    path: Path,
    settings: dict,
    class_names: Sequence[str] | None,
    notes: tuple[str, ...],
) -> Dataset:
    if not files:
        raise StepforwardError(f"{path} holds no samples", "add samples of the classes to adapt to")
    if not prep.reads_files(settings):
        prep.read(settings, path)  # raises
    found = sorted({file.label for file in files})
    names = tuple(found if class_names is None else class_names)
    index = {same_spelling(name): position for position, name in enumerate(names)}
    for file in files:
        if file.label not in index:
            _refuse_parts(path, found, index)
            raise unknown_class(file.label, file.where, names)
    if path.is_dir():
        files = sorted(files, key=lambda file: index[file.label])
    observed, shape = Observed(settings), (len(files), *(prep.input_shape(settings) or ()))
    check_room(str(path), shape)
    x = np.empty(shape, dtype=np.float32)
    for row, file in enumerate(files):
        x[row] = _input(file, settings, observed)
    y = np.array([index[file.label] for file in files], dtype=np.int64)
    sources = tuple(file.source for file in files)
    return Dataset(x, y, names, sources, (*notes, *observed.notes(str(path))))


def _refuse_parts(path: Path, found: list[str], index: dict[str, int]) -> None:
    """Name what lies one folder too high: parts of the data, with the classes inside them."""
    for part in found:
        inside = path / part
        if path.is_dir() and inside.is_dir() and part not in index:
            classes = [entry.name for entry in inside.iterdir() if same_spelling(entry.name) in index]
            if classes:
                raise StepforwardError(
                    f"{path} holds {', '.join(found[:5])} in place of classes; {inside} holds classes ({classes[0]})",
                    f"give {inside}",
                )


def _input(file: LabelledFile, settings: dict, observed: Observed) -> np.ndarray:
    try:
        remarks: list[str] = []
        raw = prep.read(settings, file.path, remarks)
        observed.see(raw, file.source, remarks)
        return prep.apply(settings, raw)
    except StepforwardError as error:
        if file.where == str(file.path):
            raise
        raise StepforwardError(f"{file.where}: {error.what}", error.remedy) from error


def check_amount(dataset: Dataset, where: str, purpose: Purpose) -> None:
    """Refuse data that cannot adapt: one class only. Classes of the network may be missing.

    Args:
        where: how messages name the data.
        purpose: anything may be measured on: "test" passes.

    Raises:
        StepforwardError: too little.
    """
    if purpose == "test":
        return
    present = np.unique(dataset.y)
    if len(present) < 2:
        raise StepforwardError(
            f"{where} holds one class only ({dataset.class_names[present[0]]!r})",
            "add samples of other classes: with one class the network would only learn to always name it",
        )
