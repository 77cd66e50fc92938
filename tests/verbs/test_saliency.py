"""Saliency masks through whole runs: what a journal keeps of the probes, and what is refused."""

import pytest

from stepforward import adapt, replay
from stepforward import journal as journals
from stepforward.errors import StepforwardError

OPTIONS = {
    "steps": 40,
    "directions": 3,
    "sparsity": 0.75,
    "mask": "saliency",
    "sizes": "relative",
    "votes": "graded",
}
OPTIONS |= {"epsilon": 0.05, "lr": 0.1, "evaluate_every": 10}


def test_a_run_keeps_the_votes_before_its_first_step(task, tmp_path):
    result = adapt(task.model, task.data, out=tmp_path / "run", **OPTIONS)
    recorded = journals.read(tmp_path / "run" / "journal")
    assert len(recorded.probes) == result["saliency"]["probes"] == 6
    assert result["saliency"]["moving"] < 0.3 * result["saliency"]["voted"]
    assert replay(task.model, tmp_path / "run" / "journal")["weights_sha256"] == result["weights_sha256"]


def test_a_run_killed_at_any_record_goes_on_to_the_same_weights(task, tmp_path):
    whole = adapt(task.model, task.data, out=tmp_path / "run", **OPTIONS)
    path = tmp_path / "run" / "journal"
    content = path.read_bytes()
    first = len(journals.header(journals.read(path).settings, 3))
    for length in (first, first + 7, first + 16, first + 40, len(content) - 30):
        path.write_bytes(content[:length])
        again = adapt(task.model, task.data, out=tmp_path / "run", resume=True, **OPTIONS)
        assert again["weights_sha256"] == whole["weights_sha256"] != whole["base_sha256"]
        assert path.read_bytes() == content


def changed(path, to, probes, votes=True, **settings):
    """A run's journal with other probes and settings."""
    recorded = journals.read(path)
    writer = journals.JournalWriter.create(to, recorded.settings | settings, 3)
    if probes is not None:
        writer.probes(probes)
    for step in recorded.votes.tolist() if votes else ():
        writer.votes(step, 99)
    writer.end(recorded.kept if votes else 0, journals.REASONS[0])
    writer.close()
    return to


@pytest.mark.parametrize(
    ("probes", "settings", "why"),
    [
        (None, {}, "lacks the votes of probes"),
        ([0, 0, 0], {}, "leaves nothing of"),
        ([1, 2], {}, "votes that no probes give"),
        ([], {}, "votes that no probes give"),
        ([25, 0, 0], {}, "votes that no probes give"),
        ([1] * 3 * 1025, {}, "votes that no probes give"),
        ([1, 2, 3], {"mask": "magnitude"}, "votes of probes, in a run without a saliency mask"),
        ([1, 2, 3], {"sparsity": 0.0}, "votes of probes, in a run without a saliency mask"),
    ],
)
def test_hostile_probes_are_refused(task, tmp_path, probes, settings, why):
    adapt(task.model, task.data, out=tmp_path / "run", **OPTIONS)
    journal = changed(tmp_path / "run" / "journal", tmp_path / "journal", probes, **settings)
    with pytest.raises(StepforwardError, match=why):
        replay(task.model, journal)


def test_probes_come_once_and_before_the_first_evaluation(task, tmp_path):
    adapt(task.model, task.data, out=tmp_path / "run", **OPTIONS)
    recorded = journals.read(tmp_path / "run" / "journal")
    for place in ("twice", "late"):
        writer = journals.JournalWriter.create(tmp_path / place, recorded.settings, 3)
        if place == "twice":
            writer.probes(recorded.probes)
        else:
            writer.evaluation(1, 1)
        writer.probes(recorded.probes)
        writer.close()
        with pytest.raises(StepforwardError, match="probes out of turn"):
            journals.read(tmp_path / place)
