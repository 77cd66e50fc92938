"""`result.json`: its names, their order, and every value that does not depend on time or machine."""

import json
from pathlib import Path

import pytest
import stripes
from plain import PLAIN

from stepforward.settings import TABLE
from stepforward.verbs.adapt import adapt

GOLDEN = Path(__file__).parents[1] / "golden" / "result"
VARYING = {"seconds", "steps_per_second", "host_scratch_bytes", "stepforward", "model"}
INTEGERS_ONLY = {"host_scratch_bytes"}


def rounded(value):
    """Floats to 12 digits: the intervals and the test come from a machine's own square roots and logarithms."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return {name: rounded(item) for name, item in value.items()} if isinstance(value, dict) else value


def run(folder, model, **options):
    data, test = (stripes.arrays(part) for part in (range(8), range(8, 12)))
    pairs = [(part["x"], part["y"]) for part in (data, test)]
    result = adapt(model, pairs[0], test=pairs[1], out=folder, seed=3, evaluate_every=10, **options)
    return result, json.loads((folder / "result.json").read_text())


def test_a_run_writes_the_entries_it_always_wrote(tmp_path):
    settings = PLAIN | {"steps": 40, "lr": 3e-3, "momentum": 0.9, "directions": 2, "threads": 1}
    result, written = run(tmp_path / "run", GOLDEN / "base.onnx", **settings)
    golden = json.loads((GOLDEN / "result.json").read_text())
    assert list(written) == list(golden)
    assert {**result} == written
    for name in golden.keys() - VARYING - {"settings"}:
        assert rounded(written[name]) == golden[name], name
    assert {name: written["settings"][name] for name in golden["settings"]} == golden["settings"]


def test_a_method_with_gradients_writes_the_same_entries(tmp_path):
    pytest.importorskip("torch")
    _, written = run(tmp_path / "run", GOLDEN / "base.onnx", method="backprop", steps=10)
    golden = json.loads((GOLDEN / "result.json").read_text())
    assert list(written) == [name for name in golden if name not in INTEGERS_ONLY]
    assert list(written["settings"]) == list(TABLE)
    for name in ("curve", "per_class", "samples"):
        assert _names(written[name]) == _names(golden[name])


def test_a_float_model_adds_its_quantization_before_the_notes(tmp_path):
    (tmp_path / "float.onnx").write_bytes(stripes.network().SerializeToString())
    _, written = run(tmp_path / "run", tmp_path / "float.onnx", **PLAIN | {"steps": 2})
    golden = list(json.loads((GOLDEN / "result.json").read_text()))
    golden.insert(golden.index("notes"), "quantization")
    assert list(written) == golden
    assert list(written["quantization"]) == [
        *("samples", "agreement", "float_accuracy", "quantized_accuracy", "float_loss", "quantized_loss")
    ]


def _names(value):
    return list(value[0] if isinstance(value, list) else value)
