"""`adapt` as a Python function: what it promises about weights, files, and runs that stop."""

import json
import math

import onnxruntime
import pytest

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.source import FloatSource
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.replay import replay

LEARN = {"steps": 150, "lr": 3e-3, "momentum": 0.9, "directions": 2}
PROMISED = (
    *(
        "zero_shot_accuracy",
        "adapted_accuracy",
        "method",
        "bits",
        "steps",
        "directions",
        "trainable_parameters",
    ),
    *("weight_bytes", "scratch_bytes_inference", "scratch_bytes_training", "journal_bytes", "seconds"),
    *("forward_passes", "weights_sha256", "kept", "settings", "split", "samples", "curve", "notes"),
)


@pytest.fixture(scope="module")
def learnt(task, tmp_path_factory):
    """A finished run that improved the network: its folder and result."""
    folder = tmp_path_factory.mktemp("runs") / "learnt"
    return folder, adapt(task.model, task.data, test=task.test, out=folder, **LEARN)


def test_the_result_says_everything_it_promises(learnt):
    _, result = learnt
    assert set(PROMISED) <= result.keys()
    assert result["adapted_accuracy"] > result["zero_shot_accuracy"] + 0.2
    assert result["adapted_loss"] < result["zero_shot_loss"]
    assert result["method"] == "qzo-ff"
    assert (result["steps"], result["directions"], result["bits"]) == (150, 2, "16w8a")
    assert result["trainable_parameters"] == 4 * 9 + 4 + 3 * 64 + 3
    assert result["weight_bytes"] == 2 * (4 * 9 + 3 * 64) + 4 * (4 + 3)
    assert result["scratch_bytes_training"] >= result["scratch_bytes_inference"]
    assert result["samples"] == {"train": 18, "validation": 6, "test": 12}
    assert result["forward_passes"] == 150 * 2 * 18
    assert result["settings"]["lr"] == LEARN["lr"]
    assert result["settings"]["seed"] == 0


def test_validation_samples_come_out_of_the_data_and_train_nothing(learnt):
    _, result = learnt
    train, held = (set(result["split"][part]) for part in ("train", "validation"))
    assert not train & held
    assert train | held == set(range(24))


def test_the_adapted_files_hold_the_weights_of_the_result(learnt, task):
    folder, result = learnt
    measured = evaluate(folder / "adapted.onnx", task.test)
    assert measured["weights_sha256"] == result["weights_sha256"] != result["base_sha256"]
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["confusion"] == result["confusion_after"]
    assert json.loads((folder / "result.json").read_text())["weights_sha256"] == result["weights_sha256"]


def test_onnx_runtime_gives_the_adapted_predictions(learnt, task):
    folder, result = learnt
    session = onnxruntime.InferenceSession(folder / "adapted.onnx")
    x, y = task.test
    logits = session.run(None, {session.get_inputs()[0].name: x})[0]
    assert abs((logits.argmax(1) == y).mean() - result["adapted_accuracy"]) <= 1 / len(y)


def test_nothing_is_written_without_a_folder_and_the_weights_are_the_same(
    learnt, task, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = adapt(task.model, task.data, test=task.test, **LEARN)
    assert result["weights_sha256"] == learnt[1]["weights_sha256"]
    assert result["journal_bytes"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [{"threads": 1}, {"threads": 2, "memory": "small"}])
def test_threads_and_memory_never_change_a_result(learnt, task, given):
    assert adapt(task.model, task.data, **given, **LEARN)["weights_sha256"] == learnt[1]["weights_sha256"]


def test_directions_on_the_whole_batch_cost_their_passes_and_see_other_losses(learnt, task):
    whole = adapt(task.model, task.data, share_batch=False, **LEARN)
    assert whole["forward_passes"] == 2 * learnt[1]["forward_passes"]
    assert whole["weights_sha256"] != learnt[1]["weights_sha256"]


def test_a_temperature_changes_training_and_no_score(learnt, task):
    other = adapt(task.model, task.data, test=task.test, temperature=5.0, judge="plain", **LEARN)
    assert other["weights_sha256"] != learnt[1]["weights_sha256"]
    assert other["zero_shot_loss"] == learnt[1]["zero_shot_loss"]


@pytest.mark.parametrize("method", ["qzo-ff", "backprop"])
def test_a_flat_loss_chooses_among_the_same_weights(task, method):
    """Its validations are of the steps that another judge sees, at twice the temperature of training."""
    given = LEARN | {"directions": 2} if method == "qzo-ff" else {"steps": 20, "lr": 1.0, "evaluate_every": 5}
    usual, flat = (
        adapt(task.model, task.data, method=method, judge=judge, **given) for judge in ("training", "flat")
    )
    assert [row["validation_accuracy"] for row in usual["curve"]] == [
        r["validation_accuracy"] for r in flat["curve"]
    ]
    assert [row["validation_loss"] for row in usual["curve"]] != [r["validation_loss"] for r in flat["curve"]]
    assert flat["adapted_accuracy"] >= flat["zero_shot_accuracy"]


def test_a_flat_judge_sees_a_run_diverge_and_a_resumed_run_agrees(learnt, task, tmp_path):
    """By the loss at the training temperature, which rises more."""
    wild = LEARN | {
        "steps": 60,
        "lr": 40.0,
        "momentum": 0.0,
        "judge": "flat",
        "sizes": "relative",
        "most_steps": 0,
    }
    base = learnt[0] / "adapted.onnx"
    whole = adapt(base, task.data, out=tmp_path / "whole", **wild)
    assert any("diverged" in note for note in whole["notes"])

    def interrupt(progress):
        if progress.step >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(base, task.data, out=tmp_path / "run", on_progress=interrupt, **wild)
    resumed = adapt(base, task.data, out=tmp_path / "run", resume=True, **wild)
    assert resumed["weights_sha256"] == whole["weights_sha256"]


def test_another_seed_is_another_run(learnt, task):
    assert adapt(task.model, task.data, seed=1, **LEARN)["weights_sha256"] != learnt[1]["weights_sha256"]


def test_only_the_trainable_set_moves(task, tmp_path):
    from stepforward.sources.onnx.file import load_onnx

    adapt(task.model, task.data, out=tmp_path / "run", train="head", **LEARN)
    before, after = (
        load_onnx(path).graph.initializers for path in (task.model, tmp_path / "run/adapted.onnx")
    )
    moved = {
        name for name in before if (before[name].const_value.numpy() != after[name].const_value.numpy()).any()
    }
    assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("stop", "options"),
    [
        (1, {"momentum": 0.9}),
        (4, {"directions": 4}),
        (4, {"directions": 3, "share_batch": False, "temperature": 1.0}),
        (6, {"train": "last:1", "distribution": "rademacher"}),
        (3, {"perturbation": "paper", "rounding": "floor"}),
        (9, {"rounding": "stochastic", "distribution": "binomial", "schedule": "linear", "warmup": 7}),
        (5, {"patience": 2, "momentum": 0.5}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_stopped_run_goes_on_to_the_same_weights(task, tmp_path, stop, options):
    options = {"steps": 40, "batch": 5, "lr": 3e-3, "evaluate_every": 4, **options}
    whole = adapt(task.model, task.data, **options)

    def interrupt(progress):
        if progress.step >= stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(task.model, task.data, out=tmp_path / "run", on_progress=interrupt, **options)
    assert not (tmp_path / "run" / "result.json").exists()
    resumed = adapt(task.model, task.data, out=tmp_path / "run", resume=True, **options)
    for name in ("weights_sha256", "kept", "stopped", "steps", "adapted_accuracy", "adapted_loss"):
        assert resumed[name] == whole[name], name


def test_resuming_a_float_model_uses_the_same_integers(task, tmp_path):
    def interrupt(progress):
        raise KeyboardInterrupt

    options = {"steps": 20, "bits": "8w8a", "calibration": "mse", "lr": 3e-3, "epsilon": 1e-2}
    whole = adapt(task.float_model, task.data, **options)
    with pytest.raises(KeyboardInterrupt):
        adapt(task.float_model, task.data, out=tmp_path / "run", on_progress=interrupt, **options)
    resumed = adapt(task.float_model, task.data, out=tmp_path / "run", resume=True, **options)
    assert resumed["bits"] == "8w8a"
    assert resumed["weights_sha256"] == whole["weights_sha256"]


@pytest.mark.parametrize("train", ["all", "bias"])
def test_a_run_that_found_its_settings_resumes_and_replays_with_them(task, tmp_path, train):
    def interrupt(progress):
        if progress.step >= 40:
            raise KeyboardInterrupt

    steps = {"all": 90, "bias": 300}[train]
    options = {"train": train, "steps": steps, "directions": 2, "out": tmp_path / "run"}
    whole = adapt(task.model, task.data, **{**options, "out": None})
    assert ("," in whole["settings"]["bias_sizes"]) == (train == "bias")
    assert whole["settings"]["lr"] == whole["search"]["lr"] > 0
    with pytest.raises(KeyboardInterrupt):
        adapt(task.model, task.data, on_progress=interrupt, **options)
    resumed = adapt(task.model, task.data, resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    again = replay(task.model, tmp_path / "run" / "journal")
    assert again["weights_sha256"] == whole["weights_sha256"]


def test_a_resumed_float_model_takes_its_recorded_base_and_no_other(task, tmp_path, monkeypatch):
    """Calibrating again may differ in a last bit, on another machine say; here it differs in whole ranges."""

    def interrupt(progress):
        raise KeyboardInterrupt

    options = {"steps": 20, "lr": 3e-3}
    whole = adapt(task.float_model, task.data, **options)
    with pytest.raises(KeyboardInterrupt):
        adapt(task.float_model, task.data, out=tmp_path / "run", on_progress=interrupt, **options)
    with pytest.raises(StepforwardError, match="another model"):
        adapt(task.float_model, task.data, out=tmp_path / "run", resume=True, bits="8w8a", **options)
    original = FloatSource.quantized
    monkeypatch.setattr(
        FloatSource, "quantized", lambda self, formats, x, *rest: original(self, formats, 1.5 * x, *rest)
    )
    resumed = adapt(task.float_model, task.data, out=tmp_path / "run", resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"]


def test_resuming_a_finished_run_measures_again_and_keeps_its_figures(learnt, task):
    folder, first = learnt
    again = adapt(task.model, task.data, test=task.test, out=folder, resume=True, **LEARN)
    kept = ("weights_sha256", "adapted_accuracy", "forward_passes", "seconds", "curve", "journal_bytes")
    assert {name: again[name] for name in kept} == {name: first[name] for name in kept}


@pytest.mark.parametrize("lr", [1e-30, 0.1])
def test_never_worse(task, lr):
    result = adapt(task.model, task.data, steps=25, lr=lr)
    assert result["adapted_accuracy"] >= result["zero_shot_accuracy"]
    assert result["adapted_loss"] <= result["zero_shot_loss"]
    if not result["kept_step"]:
        assert result["weights_sha256"] == result["base_sha256"]
        assert "nothing helped" in result["kept"]


@pytest.mark.parametrize("bits", ["8w8a", "4w8a"])
def test_other_widths_train_and_say_when_they_cannot_move(task, bits):
    still = adapt(task.float_model, task.data, steps=2, bits=bits, epsilon=1e-6)
    assert any("epsilon is below half a quantum" in note for note in still["notes"])
    moving = adapt(task.float_model, task.data, steps=30, bits=bits, epsilon=0.05, lr=0.05)
    assert moving["bits"] == bits
    assert not any("epsilon" in note for note in moving["notes"])
    assert moving["weights_sha256"] != moving["base_sha256"]


def test_the_bits_of_a_quantized_model_are_not_changed_in_silence(task):
    with pytest.raises(StepforwardError, match=r"--bits 8w8a, but .* is quantized already \(16w8a\)"):
        adapt(task.model, task.data, steps=1, bits="8w8a")


def test_minutes_are_turned_into_steps_and_resumed_with_them(task, tmp_path):
    result = adapt(task.model, task.data, minutes=0.002, out=tmp_path / "run")
    assert result["steps"] >= 1
    again = adapt(task.model, task.data, minutes=0.002, out=tmp_path / "run", resume=True)
    assert (again["steps"], again["weights_sha256"]) == (result["steps"], result["weights_sha256"])


def test_test_samples_that_were_trained_on_are_told(task):
    x, y = task.test
    assert not any(
        "also in the data" in note for note in adapt(task.model, task.data, test=(x, y), steps=1)["notes"]
    )
    both = adapt(task.model, task.data, test=task.data, steps=1)
    assert "24 of 24 test samples are also in the data" in " ".join(both["notes"])


def test_backprop_is_measured_on_the_same_footing(task, tmp_path):
    pytest.importorskip("torch")
    options = {"method": "backprop", "steps": 60, "lr": 0.05, "momentum": 0.9, "test": task.test}
    result = adapt(task.model, task.data, out=tmp_path / "run", **options)
    forward_only = adapt(task.model, task.data, test=task.test, steps=1)
    assert set(PROMISED) <= result.keys()
    assert result["split"] == forward_only["split"]
    assert result["adapted_accuracy"] > result["zero_shot_accuracy"] + 0.2
    assert (result["method"], result["bits"], result["journal_bytes"]) == ("backprop", "float32", 0)
    assert result["trainable_parameters"] == forward_only["trainable_parameters"]
    assert result["scratch_bytes_training"] > result["scratch_bytes_inference"]
    measured = evaluate(tmp_path / "run" / "adapted.onnx", task.test)
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert not (tmp_path / "run" / "journal").exists()
    with pytest.raises(StepforwardError, match=r"already holds \w+\.\w+"):
        adapt(task.model, task.data, out=tmp_path / "run", **options)


def test_backprop_that_diverges_returns_the_base(task):
    pytest.importorskip("torch")
    result = adapt(
        task.float_model, task.data, method="backprop", steps=20, lr=9.0, momentum=0.99, schedule="constant"
    )
    assert result["adapted_accuracy"] >= result["zero_shot_accuracy"]
    assert math.isfinite(result["adapted_loss"])


@pytest.mark.parametrize("options", [{"resume": True}, {"minutes": 1.0}])
def test_what_backprop_has_not(task, options, tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(StepforwardError):
        adapt(task.model, task.data, method="backprop", out=tmp_path / "run", **options)


def test_classes_without_samples_are_allowed_and_named(task):
    (x, y), (other, labels) = task.data, task.test
    few = x[y < 2], y[y < 2]
    result = adapt(task.model, few, test=(other[labels == 0], labels[labels == 0]), steps=2)
    assert (
        "1 of 3 classes have no samples, and accuracy says nothing about them: 'squares'" in result["notes"]
    )
    assert any("all 4 test samples are of one class, 'horizontal'" in note for note in result["notes"])
    with pytest.raises(StepforwardError, match="one class only"):
        adapt(task.model, (x[y == 1], y[y == 1]), steps=2)
