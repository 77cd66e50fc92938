from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import stripes

from stepforward.verbs.quantize import quantize


class Task(NamedTuple):
    """Stripes: a float model, its quantized form, samples to adapt to and others to measure on."""

    float_model: Path
    model: Path
    data: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def task(tmp_path_factory) -> Task:
    folder = tmp_path_factory.mktemp("stripes")
    onnx.save(stripes.network(), folder / "float.onnx")
    data, test = (stripes.arrays(part) for part in (range(8), range(8, 12)))
    pairs = (data["x"], data["y"]), (test["x"], test["y"])
    quantize(folder / "float.onnx", pairs[0], out=folder / "model.onnx")
    return Task(folder / "float.onnx", folder / "model.onnx", *pairs)
