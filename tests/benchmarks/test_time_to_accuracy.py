"""The bookkeeping of benchmarks/time_to_accuracy.py, on a clock that the test turns."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")


@pytest.fixture
def script():
    import time_to_accuracy

    return time_to_accuracy


def test_the_clock_stands_while_the_network_is_scored(script, monkeypatch):
    now, accuracies = [0.0], iter([0.1, 0.5, 0.8, 0.7])
    monkeypatch.setattr(script, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def step(number):
        now[0] += 1

    def accuracy():
        now[0] += 100
        return next(accuracies)

    never = script.until(1.0)
    assert script.clocked(step, 5, 2, accuracy, never) == [(0, 0, 0.1), (2, 2, 0.5), (4, 4, 0.8), (5, 5, 0.7)]


def test_backpropagation_ends_when_nothing_got_better_for_long(script, monkeypatch):
    monkeypatch.setattr(script, "PATIENCE", 4)
    accuracies = iter([0.1, 0.5, 0.5, 0.4, 0.9])
    points = script.clocked(lambda number: None, 100, 2, lambda: next(accuracies), script.tired)
    assert [(steps, accuracy) for steps, _, accuracy in points] == [(0, 0.1), (2, 0.5), (4, 0.5), (6, 0.4)]


def test_qzo_ff_ends_at_the_goal_or_when_it_comes_too_late(script):
    points = [(0, 0.0, 0.1), (10, 2.0, 0.8)]
    assert script.until(0.8)(points)
    assert script.until(0.9, seconds=2.0)(points)
    assert not script.until(0.9)(points)


def test_the_goal_is_reached_at_the_first_point_that_is_good_enough(script):
    points = [(0, 0.0, 0.1), (5, 1.0, 0.9), (10, 2.0, 0.95), (15, 3.0, 0.95)]
    assert script.reach(points, 0.9) == points[1]
    assert script.reach(points, 0.96) is None
    assert script.best(points) == points[2]


def test_of_every_method_the_setting_that_arrives_first_counts(script):
    default, other, *_ = script.CHOICES
    slow, quick = [(0, 0.0, 0.1), (10, 4.0, 0.92), (20, 6.0, 0.94)], [(0, 0.0, 0.1), (10, 3.0, 0.93)]
    theirs = {1e-3: [(0, 0.0, 0.1), (10, 2.0, 0.95)], 2e-3: [(0, 0.0, 0.1), (5, 1.0, 0.94)]}
    ours = {default: slow, other: quick}
    result = script.outcome(ours, theirs, goal=0.93)
    assert script.finest(theirs) == 1e-3
    assert script.soonest(ours, 0.93) == other
    assert (result["backprop_best"], result["backprop_goal"]) == (theirs[1e-3][1], theirs[2e-3][1])
    assert (result["ratio"], result["ratio_same_goal"], result["ratio_default"]) == (1.5, 3.0, 3.0)
    nowhere = script.outcome(ours, theirs, goal=0.99)
    assert (nowhere["ratio"], nowhere["default_goal"]) == (None, None)
    assert script.soonest(ours, 0.99) == default


def test_the_first_choice_is_that_of_the_first_release(script):
    from plain import plain

    assert script.CHOICES[0] == (plain().lr, 2000)
    assert len(script.CHOICES) == len(script.RATES)


def test_the_median_counts_what_was_not_reached_as_late(script):
    assert script.middle([2.0, None, 1.0]) == 2.0
    assert script.middle([None, None, 1.0]) is None


def test_a_short_run_of_both_methods_has_points_of_both(script):
    from stepforward.digits.clips import load_clips, model_path
    from stepforward.run.prepare import prepare
    from stepforward.settings import Settings
    from stepforward.sources.open import open_source

    opened = open_source(model_path())
    adapting, testing = (load_clips(part, opened.preprocessing) for part in ("adapt", "test"))
    prepared = prepare(opened, adapting, testing, Settings())
    common = {"steps": 4, "batch": 32, "threads": 1}
    program = script.lower(prepared.in_fixed_point(Settings()).network())
    never = script.until(1.0)
    ours = script.integer_points(program, prepared, Settings(**common), 2, never)
    layout = script.torch.contiguous_format
    theirs = script.float_points(prepared, Settings(method="backprop", **common), 2, layout)
    for points in (ours, theirs):
        assert [point[0] for point in points] == [0, 2, 4]
        assert points[0][2] == pytest.approx(0.6, abs=0.05)  # the same network, before any step
    run = {"seed": 0, "batch": 32, "samples": 80, "threads": 1, "layout": "default", "goal": 0.5}
    run |= script.outcome({script.CHOICES[0]: ours}, {1e-3: theirs}, goal=2.0)
    (row,) = script.summary([run])
    assert (row["reached"], row["reached_default"], row["ratio"], row["seeds"]) == (0, 0, None, 1)
    drawing = script.draw([{**run, "qzo_ff_points": ours, "default_points": ours, "backprop_points": theirs}])
    assert drawing.startswith(b"<?xml")
