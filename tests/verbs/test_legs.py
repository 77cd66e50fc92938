"""Runs that return to better weights with a smaller rate, and runs that are extended."""

from dataclasses import replace

import pytest
from plain import PLAIN

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay

WILD = PLAIN | {"steps": 60, "lr": 1.2, "sizes": "relative", "directions": 1, "seed": 1}
"""A learning rate at which the task's network forgets what it knew."""
LATE = PLAIN | {"steps": 30, "lr": 4e-4, "directions": 2, "most_steps": 100, "evaluate_every": 5}
"""One at which it still learns when the run ends."""
SLOW_TAIL = {"tail": "exact", "tail_rate": 0.02}
WILD_TAIL = {"tail": "exact", "tail_rate": 99.0, "evaluate_every": 13}
"""The validations of its first leg come after the checks at which it is seen to diverge."""


@pytest.fixture(scope="module")
def learnt(task, tmp_path_factory):
    """A network that knows the task, and has something to forget."""
    folder = tmp_path_factory.mktemp("runs") / "learnt"
    adapt(
        task.model,
        task.data,
        out=folder,
        **PLAIN | {"steps": 150, "lr": 3e-3, "momentum": 0.9, "directions": 2},
    )
    return folder / "adapted.onnx"


def legs_of(folder):
    return journals.read(folder / "journal").legs


def test_a_diverging_run_is_taken_back(learnt, task, tmp_path):
    result = adapt(learnt, task.data, test=task.test, out=tmp_path / "run", **WILD)
    first, *_ = legs_of(tmp_path / "run")
    assert (first.first <= 8, first.back, first.lr) == (True, 0, 1.2 / 3)
    assert result["adapted_accuracy"] >= result["zero_shot_accuracy"]
    assert any("diverged" in note for note in result["notes"])


def test_a_run_that_still_learns_is_extended_and_says_so(task, tmp_path):
    result = adapt(task.model, task.data, out=tmp_path / "run", **LATE)
    first, *_ = legs_of(tmp_path / "run")
    assert (first.first, first.back, first.steps) == (30, 30, 60)
    assert result["steps"] >= 60
    short = adapt(task.model, task.data, **{**LATE, "most_steps": 0})
    assert result["adapted_loss"] < short["adapted_loss"]
    assert any("still fell" in note and "--most-steps" in note for note in short["notes"])


RETURNING = [WILD, WILD | WILD_TAIL, WILD | WILD_TAIL | {"train": "head"}]
EXTENDED = [LATE, LATE | SLOW_TAIL]


@pytest.mark.parametrize("options", [*RETURNING, *EXTENDED])
def test_legs_resume_and_replay_to_the_same_weights(learnt, task, tmp_path, options):
    base = learnt if options in RETURNING else task.model
    whole = adapt(base, task.data, out=tmp_path / "whole", **options)
    for stop in (3, 20, 33, 50):

        def interrupt(progress, stop=stop):
            if progress.step >= stop:
                raise KeyboardInterrupt

        run = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            adapt(base, task.data, out=run, on_progress=interrupt, **options)
        resumed = adapt(base, task.data, out=run, resume=True, **options)
        assert resumed["weights_sha256"] == whole["weights_sha256"], stop
        assert legs_of(run) == legs_of(tmp_path / "whole") != ()
        again = replay(base, run / "journal")
        assert again["weights_sha256"] == whole["weights_sha256"], stop


def test_a_leg_that_the_validations_do_not_ask_for_is_refused(task, tmp_path):
    with pytest.raises(KeyboardInterrupt):

        def interrupt(progress):
            if progress.step >= 50:
                raise KeyboardInterrupt

        adapt(task.model, task.data, out=tmp_path / "run", on_progress=interrupt, **LATE)
    file = tmp_path / "run" / "journal"
    read = journals.read(file)
    changed = replace(read, legs=(read.legs[0]._replace(lr=0.5),))
    writer = journals.JournalWriter.create(tmp_path / "other", changed.settings, changed.directions)
    for step, votes in enumerate(changed.votes.tolist()):
        if step == changed.legs[0].first:
            writer.leg(changed.legs[0])
        writer.votes(votes)
    writer.flush()
    writer.close()
    file.write_bytes((tmp_path / "other").read_bytes())
    with pytest.raises(StepforwardError, match="the journal says that the run went on"):
        adapt(task.model, task.data, out=tmp_path / "run", resume=True, **LATE)
