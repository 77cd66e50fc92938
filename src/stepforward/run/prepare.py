"""Bring model and data together before a run: match classes, split, and quantize a float model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stepforward.data import preprocessing as prep
from stepforward.data.arrays import check_arrays
from stepforward.data.dataset import Dataset
from stepforward.data.function import Prepare
from stepforward.data.load import Purpose, check_amount, load
from stepforward.data.parts import as_array
from stepforward.data.split import Split, split
from stepforward.errors import StepforwardError
from stepforward.graph.parts import Part
from stepforward.run.complete import complete, said_settings, settings_of
from stepforward.run.given import Classes, Image
from stepforward.settings import Settings
from stepforward.sources.source import Source


@dataclass(frozen=True, eq=False)
class Prepared:
    """Model and data of a run.

    Attributes:
        opened: the model as it was given.
        train: samples that move the weights.
        validation: samples that choose the weights to keep.
        test: samples used for the final measurement only, or None.
        split: which of the data's samples went where.
        data_name, test_name: the data as it was given, "arrays" where it has no name.
    """

    opened: Source
    train: Dataset
    validation: Dataset
    test: Dataset | None
    split: Split
    data_name: str | None
    test_name: str | None

    @property
    def parts(self) -> dict[str, Dataset]:
        """The samples by what they are for: train, validation, and test where there are any."""
        parts = {"train": self.train, "validation": self.validation}
        return parts if self.test is None else parts | {"test": self.test}

    def in_fixed_point(self, settings: Settings) -> Source:
        """The model as it is, or quantized with ranges seen on the samples that train it."""
        if not self.opened.is_float:
            return self.opened
        return self.opened.quantized(settings.formats, self.train.x, self.train.sources)


def load_data(opened: Source, data: Any, purpose: Purpose, where: str = "the data") -> Dataset:
    """Load a path, or check a `Dataset` or an (x, y) pair of arrays, against the model's classes and input.

    A model without class names has classes "0", "1", ..., as many as outputs. `where` names arrays in messages.

    Raises:
        StepforwardError: anything wrong with the data, by name.
    """
    shape, settings, names = opened.input_shape, settings_of(opened), opened.class_names
    produced = prep.input_shape(settings)
    if produced not in (None, shape):
        raise StepforwardError(
            f"the preprocessing in {opened.name} makes samples of shape {produced}, the network reads {shape}",
            "correct the metadata property stepforward.preprocessing of the model file",
        )
    if isinstance(data, (str, Path)):
        if (
            Path(data).suffix.lower() != ".npz"
        ):  # the names of folders say nothing about the order of the outputs
            names = names or _numbers(opened.outputs)
        reads = opened.prepare or said_settings(opened)
        loaded = load(data, reads, names, purpose, shape, opened.table, opened.parts)
        return _all_classes(loaded, opened, str(data))
    if opened.prepare:
        raise StepforwardError(
            f"{where} are arrays, and a preprocessing function reads files",
            "leave preprocess out, or give files",
        )
    if isinstance(data, Dataset):
        own, sources, notes = np.array(data.class_names, dtype=str), data.sources, data.notes
    else:
        own, sources, notes = None, None, ()
    x, y = (data.x, data.y) if sources else _pair(data, where, opened.parts)
    dataset = _all_classes(
        check_arrays(where, x, y, own, sources, settings, names, shape, notes), opened, where
    )
    check_amount(dataset, where, purpose)
    return dataset


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))


def _all_classes(dataset: Dataset, opened: Source, where: str) -> Dataset:
    """The dataset with one class name per output: the data of a model without names may not show all classes."""
    names = dataset.class_names
    if len(names) == opened.outputs:
        return dataset
    if len(names) > opened.outputs or names != _numbers(len(names)):
        raise StepforwardError(
            f"{where} has {len(names)} classes, the network has {opened.outputs} outputs",
            "use the network's classes, or set the metadata property stepforward.class_names of the model file",
        )
    return replace(dataset, class_names=_numbers(opened.outputs))


def _pair(data: Any, where: str, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    try:
        x, y = data
        return as_array(where, x, parts), np.asarray(y)
    except (TypeError, ValueError) as error:
        raise StepforwardError(
            f"{where} is neither a path, a Dataset nor arrays (x, y): {type(data).__name__}",
            "give a folder, an .npz, a CSV, or a pair of arrays: samples and class numbers",
        ) from error


def repeated(prepared: Prepared) -> int:
    """How many test samples are also among the samples that train or choose the weights."""
    if prepared.test is None:
        return 0
    seen = {_digest(x) for part in (prepared.train, prepared.validation) for x in part.x}
    return sum(_digest(x) in seen for x in prepared.test.x)


def _digest(x: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).digest()


def prepare(
    source: Source,
    data: Any,
    test: Any,
    settings: Settings,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
) -> Prepared:
    """Complete what the model says, load and split the data; `classes`, `image` and `preprocess` as of `complete`.

    Raises:
        StepforwardError: anything wrong with either, before any work starts.
    """
    if not source.is_float and settings.bits not in (Settings.bits, source.bits):
        raise StepforwardError(
            f"--bits {settings.bits}, but {source.name} is quantized already ({source.bits})",
            "give the float model, or leave --bits out",
        )
    opened = complete(source, data, classes, image, preprocess)
    dataset = load_data(opened, data, "adapt")
    parts = split(dataset, settings.validation, settings.seed)
    # arrays may be the caller's own; what was read from a path is ours
    train, validation = dataset.divide(*parts, in_place=isinstance(data, (str, Path)))
    return Prepared(
        opened=opened,
        train=train,
        validation=validation,
        test=None if test is None else load_data(opened, test, "test", "the test data"),
        split=parts,
        data_name=_name(data),
        test_name=_name(test),
    )


def _name(data: Any) -> str | None:
    if data is None:
        return None
    return str(data) if isinstance(data, (str, Path)) else "arrays"
