"""Tables of made-up rows: which run of backpropagation counts, gaps, and forward passes to its gain."""

import pytest
from learning import tables
from learning.tasks import halves


def run(method, seed, adapted, loss=1.0, train="all", task="speaker-lucas", **more):
    made = {"task": task, "train": train, "method": method, "settings": {"lr": 0.1}, "seed": seed}
    made |= {
        "zero_shot": 0.5,
        "adapted": adapted,
        "validation_loss": loss,
        "steps": 10,
        "kept_step": 10,
        "forward_passes": 1000,
        "passes_before": 50,
    }
    curve = [[0, 2.0, 0.5, 0.5, 0.1], [5, 1.5, 0.6, 0.6, 1.0], [10, 1.0, 0.7, 0.8, 2.0]]
    return made | {"curve": curve} | more


def test_backpropagation_is_what_has_the_least_mean_validation_loss_of_those_with_every_seed():
    rows = [
        *(run("sgd", seed, 0.9, loss=loss) for seed, loss in enumerate((0.5, 0.5))),
        *(run("adam", seed, 0.8, loss=loss) for seed, loss in enumerate((0.3, 0.9))),
        run("adam", 0, 0.99, loss=0.1, settings={"lr": 1.0}),
        run("adam", 0, 0.6, loss=0.1, train="head"),
    ]
    found = tables.peer(rows, "speaker-lucas", "all")
    assert [found[seed]["method"] for seed in (0, 1)] == ["sgd", "sgd"]
    assert tables.peer(rows, "speaker-lucas", "head")[0]["adapted"] == 0.6
    assert tables.peer(rows, "speaker-george", "all") == {}


def test_gaps_are_paired_by_seed():
    own = {seed: run("ours:x", seed, value) for seed, value in enumerate((0.7, 0.8, 0.9))}
    peers = {seed: run("sgd", seed, value) for seed, value in enumerate((0.8, 0.9))}
    found = tables.compared(own, peers)
    assert found.accuracy.value == pytest.approx(0.8)
    assert found.gap.value == pytest.approx(-0.1) and found.gap.half == pytest.approx(0)
    assert tables.compared(own, {}) is None


@pytest.mark.parametrize(
    ("peer", "cost"),
    [(0.6, (550, True)), (0.81, (1050, True)), (0.9, (1050, False)), (0.5, (0, True)), (0.4, (0, True))],
)
def test_forward_passes_are_counted_to_most_of_the_gain(peer, cost):
    assert tables.passes_to_gain(run("ours:x", 0, 0.8), run("sgd", 0, peer)) == cost


@pytest.mark.parametrize(("peer", "cost"), [(0.61, (0.5, True)), (0.81, (1.0, True)), (0.82, (1.0, False))])
def test_time_ends_a_point_below_the_peer(peer, cost):
    found = tables.time_to_peer(run("ours:x", 0, 0.8), run("sgd", 0, peer))
    assert (pytest.approx(found.value), found.reached) == cost


def test_a_run_without_a_test_curve_counts_for_accuracy_only():
    curve = [[0, 2.0, 0.5, None]]
    own = {0: run("ours:x", 0, 0.8), 1: run("ours:x", 1, 0.6, curve=curve)}
    peers = {seed: run("sgd", seed, 0.6) for seed in own}
    found = tables.compared(own, peers)
    assert found.accuracy.value == pytest.approx(0.7) and found.passes == (550, True)
    found = tables.compared({1: own[1]}, peers)
    assert found.passes is None and found.time is None


def test_forward_passes_of_the_defaults_are_compared_on_tasks_that_both_have():
    rows = [
        *(run("sgd", 0, 0.6, task=task) for task in ("speaker-lucas", "speaker-george")),
        *(run("ours:defaults", 0, 0.8, task=task) for task in ("speaker-lucas", "speaker-george")),
        run("ours:paper", 0, 0.55, forward_passes=9000, curve=[[0, 2.0, 0.5, 0.5, 0.1]]),
    ]
    (line,) = tables.speed(rows).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:4] == ["2", "550 (2 of 2)"]
    assert cells[4] == "more than 9,050 (0 of 1): more than 16.5 times"
    assert cells[5:] == ["0.5", "2 of 2"]


def test_a_table_on_equal_terms_has_both_without_and_after_matching():
    rows = [
        *(run("sgd", 0, 0.8), run("matched-adam", 0, 0.9)),
        *(run("ours:labels", 0, 0.7), run("ours:defaults", 0, 0.95)),
    ]
    assert tables.fair(rows).splitlines()[2].endswith("| 70.0, -10.0 | 90.0 | 95.0, +5.0 |")
    assert tables.peer(rows, "speaker-lucas", "all")[0]["method"] == "sgd"


def test_fewer_bits_stand_next_to_sixteen():
    rows = [run("ours:defaults", 0, 0.8), run("ours:8w8a", 0, 0.79), run("ours:4w8a", 0, 0.6, zero_shot=0.3)]
    first, last = tables.bits(rows).splitlines()[2:]
    assert first.endswith("| 80.0 | 50.0, 79.0, -1.0 | 30.0, 60.0, -20.0 |")
    assert last.endswith("| mean gap -1.0 | mean gap -20.0 |")


def test_the_summary_keeps_the_halves_apart():
    rows = [run(m, 0, a, task=t) for m, t, a in (
        ("sgd", "speaker-lucas", 0.9), ("ours:defaults", "speaker-lucas", 0.8),
        ("sgd", "speaker-nicolas", 0.9), ("ours:defaults", "speaker-nicolas", 0.85),
        ("sgd", "speaker-jackson", 0.9), ("ours:defaults", "speaker-jackson", 0.95),
    )]  # fmt: skip
    (line,) = tables.summary(rows).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:5] == ["`all`", "`defaults`", "1", "-10.0", "-10.0, digits, speaker lucas (the demo's)"]
    assert cells[5:] == ["2", "+0.0 ± 63.5", "-5.0, digits, speaker nicolas"]


def test_a_task_line_has_backpropagation_and_every_candidate():
    rows = [run("none", 0, 0.5, train=""), run("sgd", 0, 0.9), run("ours:mine", 0, 0.8)]
    text = tables.tasks(rows, "all").splitlines()
    assert text[0].endswith("| by | `mine`, gap |")
    assert (
        text[2] == "| choosing | digits, speaker lucas (the demo's) | 50.0 | 90.0 | sgd, 0.1 | 80.0, -10.0 |"
    )


def test_without_rows_the_tables_say_what_makes_them():
    assert "make bench-learning" in tables.made(None)["learning_all"]()


def test_every_kind_of_task_is_in_both_halves():
    kinds = {}
    for entry in halves.TASKS.values():
        if entry.always:
            kinds.setdefault(entry.kind, []).append(entry.half)
    for kind, own in kinds.items():
        assert own.count(halves.CHOOSING) == own.count(halves.REPORTED), kind
    assert halves.TASKS["speaker-lucas"].half == halves.CHOOSING


def test_tasks_are_named_by_pattern_kind_and_half():
    assert len(halves.chosen(["resnet8"])) == 8
    assert len(halves.chosen(["resnet8-*-5"])) == 15
    assert set(halves.chosen(["choosing", "reported"])) == set(halves.chosen([]))
    with pytest.raises(SystemExit, match="no task is called 'mnist'"):
        halves.chosen(["mnist"])
