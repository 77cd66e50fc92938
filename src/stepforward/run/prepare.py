"""Bring model and data together before a run: match classes, split, and quantize a float model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data.dataset import Dataset
from stepforward.data.load import load
from stepforward.data.split import Split, split
from stepforward.errors import StepforwardError
from stepforward.models import Opened, open_model
from stepforward.run.settings import Settings


@dataclass(frozen=True, eq=False)
class Prepared:
    """Model and data of a run.

    Attributes:
        opened: the model as it was given.
        train: samples that move the weights.
        validation: samples that choose the weights to keep.
        test: samples used for the final measurement only, or None.
        split: which of the data's samples went where.
    """

    opened: Opened
    train: Dataset
    validation: Dataset
    test: Dataset | None
    split: Split


def load_data(opened: Opened, data: Any, purpose: str) -> Dataset:
    """Load a path, or check a `Dataset` or an (x, y) pair of arrays, against the model's classes and input.

    Raises:
        StepforwardError: anything wrong with the data, by name.
    """
    shape = opened.input_shape
    if isinstance(data, (str, Path)):
        return load(data, opened.preprocessing, opened.class_names, purpose, shape)
    if not isinstance(data, Dataset):
        x, y = (np.asarray(part) for part in data)
        names = opened.class_names or tuple(str(i) for i in range(int(y.max()) + 1))
        data = Dataset(
            x.astype(np.float32), y.astype(np.int64), names, tuple(f"sample {i}" for i in range(len(y)))
        )
    if data.x.shape[1:] != shape:
        raise StepforwardError(
            f"the data has samples of shape {data.x.shape[1:]}, the network reads {shape} (C, H, W)",
            "reshape the data, or check the model's preprocessing",
        )
    return data


def check_labels(y: NDArray[np.integer], classes: int) -> None:
    """Refuse labels that the network has no output for."""
    if len(y) and (y.min() < 0 or y.max() >= classes):
        raise StepforwardError(
            f"the data has a label {int(y.max())}, the network has {classes} outputs (0 to {classes - 1})",
            "remove the samples of classes the network does not know",
        )


def prepare(model: Any, data: Any, test: Any, settings: Settings) -> Prepared:
    """Open the model, load and split the data.

    Raises:
        StepforwardError: anything wrong with either, before any work starts.
    """
    opened = open_model(model)
    dataset = load_data(opened, data, "adapt")
    parts = split(dataset, settings.validation, settings.seed)
    return Prepared(
        opened=opened,
        train=dataset.take(parts.train),
        validation=dataset.take(parts.validation),
        test=None if test is None else load_data(opened, test, "test"),
        split=parts,
    )
