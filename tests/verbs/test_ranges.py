"""`adapt --ranges samples`: finer steps before the first step; resumes and replays to the same bits."""

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

OPTIONS = PLAIN | {"steps": 40, "lr": 2e-3, "directions": 2, "evaluate_every": 5, "ranges": "samples"}


def dim(part):
    """Images of a tenth of the contrast, and their labels."""
    return (part[0] * 0.1).astype(np.float32), part[1]


@pytest.fixture(scope="module")
def run(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranges") / "run"
    return folder, adapt(task.model, dim(task.data), test=dim(task.test), out=folder, **OPTIONS)


def test_a_run_begins_with_finer_steps_and_says_so(run, task):
    folder, result = run
    ranges = result["ranges"]
    assert ranges["kept"] == "finer steps" and ranges["loss_after"] <= ranges["loss_before"]
    assert set(ranges["halvings"].values()) >= {3}
    assert result["curve"][0]["validation_loss"] == pytest.approx(ranges["loss_after"])
    assert result["zero_shot_accuracy"] == evaluate(task.model, dim(task.test))["accuracy"]
    assert result["base_sha256"] == lower(open_source(task.model).network()).weights_sha256
    assert json.loads((folder / "result.json").read_text())["ranges"] == ranges
    assert "ranges" in repr(result) and "finer steps of" in repr(result)


def test_the_file_written_is_the_program_that_was_measured(run, task):
    folder, result = run
    measured = evaluate(folder / "adapted.onnx", dim(task.test))
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["weights_sha256"] == result["weights_sha256"]
    before, after = (open_source(path).network() for path in (task.model, folder / "adapted.onnx"))
    for name, times in result["ranges"]["halvings"].items():
        assert after.formats[name].scale == before.formats[name].scale * 2.0**-times


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"votes": "graded", "sizes": "relative"},
        {"tail": "exact", "train": "head"},
        {"head_start": "auto", "tail": "exact"},
        {"first_stage": "match"},
    ],
    ids=str,
)
def test_resume_and_replay_give_the_same_file(task, tmp_path, more):
    options = {**OPTIONS, **more}

    def interrupt(progress):
        if progress.step >= 13:
            raise KeyboardInterrupt

    whole = adapt(task.model, dim(task.data), out=tmp_path / "whole", **options)
    assert whole["ranges"]["kept"] == "finer steps" or "first_stage" in more
    with pytest.raises(KeyboardInterrupt):
        adapt(task.model, dim(task.data), out=tmp_path / "run", on_progress=interrupt, **options)
    resumed = adapt(task.model, dim(task.data), out=tmp_path / "run", resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    again = replay(task.model, tmp_path / "run" / "journal", out=tmp_path / "again.onnx")
    assert again["base_sha256"] == whole["base_sha256"]
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "whole" / "adapted.onnx").read_bytes()


def test_other_steps_in_a_journal_are_refused(run, task, tmp_path):
    whole = journals.read(run[0] / "journal")
    writer = journals.JournalWriter.create(tmp_path / "journal", whole.settings, whole.directions)
    writer.ranges(dict.fromkeys(whole.ranges, 1))
    writer.close()
    with pytest.raises(StepforwardError, match="finer steps are not those that these samples lead to"):
        adapt(task.model, dim(task.data), test=dim(task.test), out=tmp_path, resume=True, **OPTIONS)
    writer = journals.JournalWriter.create(tmp_path / "other", whole.settings, whole.directions)
    writer.ranges({10_000: 1})
    writer.end(0, journals.REASONS[0])
    writer.close()
    with pytest.raises(StepforwardError, match="its finer steps do not fit the model"):
        replay(task.model, tmp_path / "other")


def test_steps_in_the_journal_of_a_run_with_given_ranges_are_refused(run, task, tmp_path):
    whole = journals.read(run[0] / "journal")
    settings = {name: value for name, value in whole.settings.items() if name != "ranges"}
    writer = journals.JournalWriter.create(tmp_path / "journal", settings, whole.directions)
    writer.ranges(whole.ranges)
    writer.end(0, journals.REASONS[0])
    writer.close()
    with pytest.raises(StepforwardError, match="finer steps, in a run with the ranges that were given"):
        replay(task.model, tmp_path / "journal")


def test_samples_that_use_their_ranges_change_nothing(task):
    given = adapt(task.model, task.data, **OPTIONS | {"ranges": "given"})
    same = adapt(task.model, task.data, **OPTIONS)
    assert "ranges" not in same
    assert same["weights_sha256"] == given["weights_sha256"]


def test_backpropagation_has_none():
    with pytest.raises(StepforwardError, match="ranges = 'samples', with method = 'backprop'"):
        adapt("model.onnx", "data", method="backprop", ranges="samples")
