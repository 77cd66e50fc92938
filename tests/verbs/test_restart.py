"""Runs that begin once more, with last layers that learn more slowly."""

import pytest
from plain import PLAIN

from stepforward import journal as journals
from stepforward.run import legs
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay

AGAIN = PLAIN | {
    "steps": 20,
    "most_steps": 80,
    "evaluate_every": 4,
    "directions": 2,
    "lr": 2e-3,
    "votes": "graded",
    "tail": "exact",
    "tail_rate": 8.0,
}
"""The task's samples are fitted within a few steps."""
AFTER = AGAIN | {"tail_rate": 40.0}
"""They are fitted too fast, so that the weights from after the restart are better."""
RESTART = (20, 0, 80, 2e-3, 0.25)


def legs_of(folder):
    return journals.read(folder / "journal").legs


@pytest.mark.parametrize(("options", "kept"), [(AGAIN, False), (AFTER, True)])
def test_a_restart_resumes_and_replays_to_the_same_weights(task, tmp_path, options, kept):
    whole = adapt(task.model, task.data, out=tmp_path / "whole", **options)
    assert whole["restart"]["step"] == 20
    assert legs_of(tmp_path / "whole") == (RESTART,)
    assert whole["restart"]["kept"] == kept == (whole["kept_step"] > 20)
    assert any("restarted from its beginning" in note for note in whole["notes"])
    steps = [row["step"] for row in whole["curve"]]
    assert steps == [0, 4, 8, 12, 16, 20, 32, 44, 56, 68, 80]
    for stop in (3, 20, 21, 50):

        def interrupt(progress, stop=stop):
            if progress.step >= stop:
                raise KeyboardInterrupt

        run = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            adapt(task.model, task.data, out=run, on_progress=interrupt, **options)
        resumed = adapt(task.model, task.data, out=run, resume=True, **options)
        assert resumed["weights_sha256"] == whole["weights_sha256"], stop
        assert legs_of(run) == (RESTART,)
        assert replay(task.model, run / "journal")["weights_sha256"] == whole["weights_sha256"], stop


@pytest.mark.parametrize(
    "options", [{"most_steps": 0}, {"most_steps": 39}, {"tail": "votes"}, {"train": "head"}, {"patience": 2}]
)
def test_no_restart(task, options):
    """Without room for it, a tail, other layers next to it; and after an early stop."""
    result = adapt(task.model, task.data, **AGAIN | options)
    assert "restart" not in result


def test_a_run_that_ended_is_measured_again_as_it_is(task, tmp_path, monkeypatch):
    """By another release's rule it would have restarted."""
    monkeypatch.setattr(legs, "LEFT", 1.0)
    ended = adapt(task.model, task.data, out=tmp_path / "run", **AGAIN)
    monkeypatch.undo()
    again = adapt(task.model, task.data, out=tmp_path / "run", resume=True, **AGAIN)
    assert (again["steps"], again["weights_sha256"]) == (20, ended["weights_sha256"])
