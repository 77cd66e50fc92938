"""190 samples of one class and 10 of another, both of which matter."""

import shutil

import numpy as np
import onnx
import pytest
import stripes
from plain import PLAIN

from stepforward.errors import StepforwardError
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay

OPTIONS = PLAIN | {"steps": 120, "lr": 5e-3, "threads": 1, "evaluate_every": 10}


def ramps(seed: int, *counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise on a faint ramp to the right (class 0) or to the left (class 1)."""
    rng, y = np.random.default_rng(seed), np.repeat(np.arange(len(counts)), counts)
    ramp = np.tile(np.linspace(-0.3, 0.3, 8), (8, 1))
    x = np.stack([ramp, -ramp])[y][:, None] + rng.normal(0, 1, (len(y), 1, 8, 8))
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A network that classifies two thirds of both correctly."""
    folder = tmp_path_factory.mktemp("ramps")
    onnx.save(stripes.network(), folder / "float.onnx")
    adapt(folder / "float.onnx", ramps(9, 30, 30), out=folder / "run", **PLAIN | {"steps": 150, "lr": 1e-2})
    return folder / "run" / "adapted.onnx"


def recalls(result: dict, when: str) -> list[float]:
    return [one[f"recall_{when}"] for one in result["per_class"][:2]]


@pytest.mark.parametrize("method", [{}, {"method": "backprop", "lr": 3e-2, "steps": 30}])
def test_balance_keeps_the_recall_of_a_rare_class(base, method):
    plain, balanced = (
        adapt(base, ramps(1, 190, 10), test=ramps(2, 200, 200), balance=balance, **OPTIONS | method)
        for balance in (False, True)
    )
    assert recalls(plain, "after")[1] < 0.5 < recalls(plain, "before")[1]
    assert any("fewer samples are classified correctly of vertical" in note for note in plain["notes"])
    assert any("--balance" in note for note in plain["notes"])
    assert recalls(balanced, "after")[1] > recalls(balanced, "before")[1] - 0.1
    assert balanced["adapted_mean_recall"] > plain["adapted_mean_recall"] + 0.1
    assert not any("--balance" in note for note in balanced["notes"])


def test_a_fall_on_the_test_samples_is_said(base):
    result = adapt(base, ramps(1, 190, 10), test=ramps(2, 200, 200), **OPTIONS)
    assert result["adapted_accuracy"] < result["zero_shot_accuracy"]
    assert any("accuracy on the test samples fell from" in note for note in result["notes"])


def test_a_balanced_run_resumes_and_replays_to_the_same_bits_and_only_as_balanced(base, tmp_path):
    data, options = ramps(1, 190, 10), OPTIONS | {"balance": True, "steps": 70}
    whole = adapt(base, data, out=tmp_path / "whole", **options)

    def stop(progress):
        if progress.step == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(base, data, out=tmp_path / "cut", on_progress=stop, **options)
    shutil.copytree(tmp_path / "cut", tmp_path / "other")
    with pytest.raises(StepforwardError, match="balance True there, False now"):
        adapt(base, data, out=tmp_path / "other", resume=True, **options | {"balance": False})
    resumed = adapt(base, data, out=tmp_path / "cut", resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert replay(base, tmp_path / "whole" / "journal")["weights_sha256"] == whole["weights_sha256"]
