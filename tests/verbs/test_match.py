"""`adapt --method match`: with labels or without, kept where it helps, replayed to the same file."""

import numpy as np
import pytest
import stripes
from PIL import Image

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.run.informing import inform
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay


def dim(x):
    """Images of less contrast."""
    return (x * 0.4).astype(np.float32)


@pytest.fixture(scope="module")
def run(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("match") / "run"
    return folder, adapt(task.model, dim(task.data[0]), method="match", out=folder)


def test_unlabelled_arrays_are_matched(run, task):
    folder, result = run
    assert result["kept"] == "matched" and result["measured_on"] is None
    assert result["adapted_accuracy"] is None and result["distance_after"] < result["distance_before"]
    assert {path.name for path in folder.iterdir()} == {
        *("adapted.onnx", "adapted.sfp", "journal", "report.html", "result.json")
    }
    assert "not known" in repr(result) and "--steps 40" in " ".join(result["notes"])
    assert evaluate(folder / "adapted.onnx", task.test)["weights_sha256"] == result["weights_sha256"]


def test_the_file_written_is_the_program_that_was_matched(run):
    folder, result = run
    again = lower(open_source(folder / "adapted.onnx").network())
    assert (again.ops, again.tensors, again.weights) == (
        result.program.ops,
        result.program.tensors,
        result.program.weights,
    )


def test_a_replay_gives_the_same_file(run, task, tmp_path):
    folder, result = run
    again = replay(task.model, folder / "journal", out=tmp_path / "again.onnx")
    assert again["weights_sha256"] == result["weights_sha256"]
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "adapted.onnx").read_bytes()
    assert journals.read(folder / "journal").matching[0].ratio.max() > 1 << 14


def test_steps_that_follow_are_replayed(task, tmp_path):
    seen = []
    result = adapt(
        task.model, dim(task.data[0]), test=(dim(task.test[0]), task.test[1]), method="match", out=tmp_path / "run",
        steps=8, directions=8, batch=32, on_progress=seen.append,
    )  # fmt: skip
    assert len(seen) == result["steps"] == 8 and result["kept_step"]
    assert result["steps_information_after"] > result["steps_information_before"]
    assert "8; what predictions say of a held-out sample" in repr(result)
    again = replay(task.model, tmp_path / "run" / "journal", out=tmp_path / "again.onnx")
    assert again["weights_sha256"] == result["weights_sha256"]
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "run" / "adapted.onnx").read_bytes()
    assert journals.read(tmp_path / "run" / "journal").settings["steps"] == 8


def test_mixed_weights_are_written_replayed_and_told(task, tmp_path):
    quantize(task.float_model, task.data[0], bits="8w8a", out=tmp_path / "small.onnx")
    noisy = dim(task.data[0]) + np.random.default_rng(0).normal(0, 0.3, task.data[0].shape).astype(np.float32)
    result = adapt(tmp_path / "small.onnx", noisy, method="match", out=tmp_path / "run")
    assert result["kept"] == "matched" and result["sites"][0]["mixed"]
    assert "1 early site with weights of their own" in " ".join(repr(result).split())
    again = replay(tmp_path / "small.onnx", tmp_path / "run" / "journal", out=tmp_path / "again.onnx")
    assert again["weights_sha256"] == result["weights_sha256"]
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "run" / "adapted.onnx").read_bytes()
    assert lower(open_source(tmp_path / "again.onnx").network()).weights == result.program.weights


@pytest.mark.parametrize(("classes", "told"), [(1.4, True), (1.6, False)])
def test_a_person_is_told_where_samples_seem_to_hold_few_classes(task, monkeypatch, classes, told):
    monkeypatch.setattr(
        "stepforward.run.match.inform", lambda *given: inform(*given)._replace(classes=classes)
    )
    result = adapt(task.model, dim(task.data[0]), method="match", steps=4, directions=8, batch=32)
    assert result["kept_step"] and ("leave --steps out" in " ".join(result["notes"])) == told


def test_steps_are_for_samples_without_labels(task):
    with pytest.raises(StepforwardError, match="have labels"):
        adapt(task.model, task.data, method="match", steps=8)


def test_more_directions_than_a_step_holds_are_refused(task):
    with pytest.raises(StepforwardError, match="directions = 33"):
        adapt(task.model, dim(task.data[0]), method="match", steps=8, directions=33)


@pytest.mark.parametrize(
    "options, named",
    [({"votes": "sign", "tail_rate": 2.0}, "--votes, --tail-rate"), ({"preset": "paper"}, "--preset paper")],
)
def test_settings_that_a_matching_would_not_read_are_refused(task, options, named):
    with pytest.raises(StepforwardError, match=f"match reads no {named}"):
        adapt(task.model, dim(task.data[0]), method="match", **options)


def test_a_journal_of_another_base_is_refused(run, task, tmp_path):
    quantize(task.float_model, task.data[0], bits="8w8a", out=tmp_path / "other.onnx")
    with pytest.raises(StepforwardError, match="another base"):
        replay(tmp_path / "other.onnx", run[0] / "journal")


def test_labels_measure_and_choose(task):
    data, test = ((dim(x), y) for x, y in (task.data, task.test))
    result = adapt(task.model, data, test=test, method="match")
    assert result["measured_on"] == "test"
    assert result["adapted_loss"] <= result["zero_shot_loss"]


def test_samples_like_the_source_change_nothing(task):
    result = adapt(task.model, task.data[0], method="match")
    assert result["kept"].startswith("base")
    assert result["weights_sha256"] == result["base_sha256"] and result["constants_bytes"] == 0


@pytest.mark.parametrize(("taken", "strength"), [(1, 0.25), (3, 0.75), (4, 1.0)])
def test_what_is_corrected_in_part_is_said(task, monkeypatch, taken, strength):
    monkeypatch.setattr("stepforward.run.strengths.strongest", lambda said: taken)
    result = adapt(task.model, dim(task.data[0]), method="match")
    assert result["strength"] == strength
    assert any("follow no stream" in note for note in result["notes"]) == (strength < 1)
    assert f"{100 * strength:.0f}" in repr(result) and "bits" in repr(result)


def test_labels_leave_information_out(task):
    result = adapt(task.model, (dim(task.data[0]), task.data[1]), method="match")
    assert result["information_before"] is None and "held-out loss" in repr(result)


def test_a_flat_folder_and_an_npz_of_x_are_the_same_samples(task, tmp_path):
    images = [
        (stripes.image(label, variant) - 128.0) * 0.3 + 128 for label in range(3) for variant in range(8)
    ]
    (tmp_path / "flat").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "flat" / f"{number:02}.png")
    np.savez(tmp_path / "x.npz", x=np.stack(images).astype(np.uint8)[..., None])
    results = [adapt(task.model, tmp_path / name, method="match") for name in ("flat", "x.npz")]
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]
    assert results[0]["samples"]["train"] + results[0]["samples"]["validation"] == 24


def test_one_sample_is_enough_to_run(task):
    assert adapt(task.model, dim(task.data[0][:1]), method="match")["samples"]["train"] == 1


def test_a_float_model_names_the_command(task):
    with pytest.raises(StepforwardError) as error:
        adapt(task.float_model, task.data[0], method="match")
    assert "stepforward quantize" in str(error.value)


def test_a_matched_model_has_no_statistics_left(run, task):
    with pytest.raises(StepforwardError, match="does not say what its activations are"):
        adapt(run[0] / "adapted.onnx", task.data[0], method="match")


@pytest.mark.parametrize("options", [{"minutes": 1.0}, {"resume": True, "out": "there"}])
def test_what_makes_no_sense_is_refused(task, options):
    with pytest.raises(StepforwardError):
        adapt(task.model, task.data[0], method="match", **options)


def test_an_existing_run_is_not_written_over(run, task):
    with pytest.raises(StepforwardError, match="already holds a run"):
        adapt(task.model, task.data[0], method="match", out=run[0])
    again = adapt(task.model, dim(task.data[0]), method="match", out=run[0], overwrite=True)
    assert again["weights_sha256"] == run[1]["weights_sha256"]
