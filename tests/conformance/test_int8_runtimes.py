"""Programs made of TensorFlow Lite files compute the integers of the runtime they name, layer by layer."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from int8_runtimes import NAMES, different
from tflite_files import small

from stepforward.sources.tflite.file import load_tflite, parse

DATA = Path(os.environ.get("STEPFORWARD_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLIC = {
    "kws_dscnn_int8": 144_152,
    "resnet8_cifar10_int8": 229_524,
    "vww_96_int8": 463_620,
    "ad01_int8": 3_344,
    "streaming_wakeword_int8": 29_702,
}  # fmt: skip
"""Files of MLPerf Tiny, and how many integers two samples leave in all their layers."""


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_a_small_network(runtime, seed):
    rng = np.random.default_rng(seed)
    draft, first, last = small(rng)
    file = parse(draft.content([first], [last]), "m")
    x = rng.integers(-128, 128, (8, 8, 8, 2)).astype(np.int8)
    assert different(file, runtime, x) == (0, 8 * (3 * 96 + 6 + 3))


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("name", PUBLIC)
def test_public_networks(name, runtime):
    path = DATA / "pretrained" / "mlperf_tiny" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there (set STEPFORWARD_DATA)")
    file = load_tflite(path)
    shape = file.tensors[file.inputs[0]].shape[1:]
    x = np.random.default_rng(0).integers(-128, 128, (2, *shape)).astype(np.int8)
    assert different(file, runtime, x) == (0, PUBLIC[name])
