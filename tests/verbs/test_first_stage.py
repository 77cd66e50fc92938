"""`adapt --first-stage match`: matched before the first step where that helps; resumes and replays to the same bits."""

import json

import numpy as np
import pytest
from plain import PLAIN

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.replay import replay

OPTIONS = PLAIN | {"steps": 40, "lr": 2e-3, "directions": 2, "evaluate_every": 5, "first_stage": "match"}


def dim(part):
    """Images of less contrast, and their labels."""
    return (part[0] * 0.4).astype(np.float32), part[1]


@pytest.fixture(scope="module")
def learnt(task, tmp_path_factory):
    """A network that knows the task, with its statistics."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    adapted = adapt(
        task.model,
        task.data,
        out=folder,
        **PLAIN | {"steps": 150, "lr": 3e-3, "momentum": 0.9, "directions": 2},
    )
    assert adapted["adapted_accuracy"] > 0.8
    return folder / "adapted.onnx"


@pytest.fixture(scope="module")
def run(learnt, task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "run"
    return folder, adapt(learnt, dim(task.data), test=dim(task.test), out=folder, **OPTIONS)


def test_a_run_begins_with_the_matched_model_and_says_so(run, learnt, task):
    folder, result = run
    stage = result["first_stage"]
    assert stage["kept"] == "matched" and stage["loss_after"] < stage["loss_before"]
    assert result["curve"][0]["validation_loss"] == pytest.approx(stage["loss_after"])
    assert result["zero_shot_accuracy"] == evaluate(learnt, dim(task.test))["accuracy"]
    assert result["base_sha256"] == lower(open_source(learnt).network()).weights_sha256
    assert json.loads((folder / "result.json").read_text())["first_stage"] == stage
    assert "first stage" in repr(result)


def test_it_is_judged_as_the_steps_are(run, learnt, task):
    """By the loss at the training temperature, which the first validation of the run has as well."""
    result = adapt(learnt, dim(task.data), **OPTIONS | {"judge": "training"})
    stage, plain = result["first_stage"], run[1]["first_stage"]
    assert (stage["temperature"], plain["temperature"]) == (2.0, 1.0)
    assert stage["loss_before"] != plain["loss_before"]
    assert result["curve"][0]["validation_loss"] == pytest.approx(stage["loss_after"])
    assert "the loss of held-out samples at temperature 2 from" in result.first_stage.told


def test_the_file_written_is_the_program_that_was_measured(run, task):
    folder, result = run
    measured = evaluate(folder / "adapted.onnx", dim(task.test))
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["weights_sha256"] == result["weights_sha256"]


@pytest.mark.parametrize("more", [{}, {"votes": "graded", "sizes": "relative"}, {"tail": "exact"}], ids=str)
def test_resume_and_replay_give_the_same_file(learnt, task, tmp_path, more):
    options = {**OPTIONS, **more}

    def interrupt(progress):
        if progress.step >= 13:
            raise KeyboardInterrupt

    whole = adapt(learnt, dim(task.data), out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        adapt(learnt, dim(task.data), out=tmp_path / "run", on_progress=interrupt, **options)
    resumed = adapt(learnt, dim(task.data), out=tmp_path / "run", resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["first_stage"] == whole["first_stage"]
    again = replay(learnt, tmp_path / "run" / "journal", out=tmp_path / "again.onnx")
    assert again["base_sha256"] == whole["base_sha256"]
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "whole" / "adapted.onnx").read_bytes()


def test_a_run_that_stopped_while_constants_were_written_resumes(run, learnt, task, tmp_path):
    folder, result = run
    whole = journals.read(folder / "journal")
    writer = journals.JournalWriter.create(tmp_path / "journal", whole.settings, whole.directions)
    writer.matching(whole.matching[0])
    writer.close()
    resumed = adapt(learnt, dim(task.data), test=dim(task.test), out=tmp_path, resume=True, **OPTIONS)
    assert resumed["weights_sha256"] == result["weights_sha256"]
    assert (tmp_path / "journal").read_bytes() == (folder / "journal").read_bytes()


def test_other_constants_in_a_journal_are_refused(run, learnt, task, tmp_path):
    whole = journals.read(run[0] / "journal")
    writer = journals.JournalWriter.create(tmp_path / "journal", whole.settings, whole.directions)
    site = whole.matching[0]
    writer.matching(journals.MatchedSite(site.op, site.ratio, site.bias + 1))
    writer.close()
    with pytest.raises(StepforwardError, match="its matching is not the one that these samples lead to"):
        adapt(learnt, dim(task.data), test=dim(task.test), out=tmp_path, resume=True, **OPTIONS)


def test_constants_in_the_journal_of_a_run_without_a_first_stage_are_refused(run, learnt, tmp_path):
    whole = journals.read(run[0] / "journal")
    settings = {name: value for name, value in whole.settings.items() if name != "first_stage"}
    writer = journals.JournalWriter.create(tmp_path / "journal", settings, whole.directions)
    writer.matching(whole.matching[0])
    writer.end(0, journals.REASONS[0])
    writer.close()
    with pytest.raises(StepforwardError, match="without a first stage"):
        replay(learnt, tmp_path / "journal")


def test_samples_like_those_of_the_model_change_nothing(task):
    plain = adapt(task.model, task.data, **{**OPTIONS, "first_stage": "none"})
    same = adapt(task.model, task.data, **OPTIONS)
    assert same["first_stage"]["kept"].startswith("base: ")
    assert same["weights_sha256"] == plain["weights_sha256"]


def test_a_float_model_is_adapted_all_the_same_and_a_note_names_quantize(task):
    result = adapt(task.float_model, task.data, **OPTIONS)
    assert result["first_stage"]["kept"].startswith("base: ") and result["first_stage"]["sites"] == []
    assert sum("stepforward quantize" in note for note in result["notes"]) == 1
    none = adapt(task.float_model, task.data, **OPTIONS | {"first_stage": "none"})
    assert not any("stepforward quantize" in note for note in none["notes"])


def test_backpropagation_has_no_first_stage():
    with pytest.raises(StepforwardError, match="first_stage = 'match', with method = 'backprop'"):
        adapt("model.onnx", "data", method="backprop", first_stage="match")
