"""Our runs and backpropagation's on a small network: rows, curves, the search for a rate."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch
from learning import ours, peers, unlabelled
from learning.tasks.task import Task, from_module

from stepforward.run.session import Session


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU()),
        *(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(16, 3)),
    ).eval()
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 1, 6, 6)).astype(np.float32)
    x[:, 0, :, :2] += y[:, None, None] - 1
    return Task(from_module(layers, (1, 6, 6)), x, (x[:30], y[:30]), (x[30:], y[30:]), layers)


def test_our_row_has_a_curve_with_test_accuracies_and_the_test_scores_off_the_clock(task):
    row = ours.run(task, "all", {"steps": 40, "lr": 1e-2}, seed=1)
    assert [point[0] for point in row["curve"]] == list(range(41))
    kept = next(point for point in row["curve"] if point[0] == row["kept_step"])
    assert kept[3] == row["adapted"] and row["curve"][0][3] == row["zero_shot"]
    assert kept[1] == row["validation_loss"]
    assert row["forward_passes"] == 40 * 2 * 24 and row["passes_before"] > 0
    seconds = [point[4] for point in row["curve"]]
    assert seconds == sorted(seconds) and seconds[-1] <= row["cpu"]
    again = ours.run(task, "all", {"steps": 40, "lr": 1e-2}, seed=1)["curve"]
    assert [point[:4] for point in again] == [point[:4] for point in row["curve"]]


def test_test_accuracies_stay_with_their_steps_in_a_run_that_returns(task, monkeypatch):
    looks = iter(range(1000))
    monkeypatch.setattr("stepforward.run.training.diverges", lambda *_: next(looks) == 12)
    legs, begin = [], Session.leg
    monkeypatch.setattr(Session, "leg", lambda session, leg: (legs.append(leg), begin(session, leg)))
    settings = {"steps": 60, "lr": 5.0, "epsilon": 0.05, "evaluate_every": 5, "tail": "votes"}
    row = ours.run(task, "all", settings, seed=0)
    (leg,) = legs
    assert 0 < leg.back < leg.first < row["steps"]
    kept = next(point for point in row["curve"] if point[0] == row["kept_step"])
    assert row["kept_step"] > 0 and kept[3] == row["adapted"]


def test_backpropagation_may_start_from_the_base_that_a_run_of_the_product_starts_from(task):
    as_it_is, first = (peers.run(task, "adam", "head", 3e-2, seed=0, first=first) for first in (False, True))
    assert as_it_is["zero_shot"] == first["zero_shot"]
    started = ours.run(task, "head", {"steps": 1}, seed=0)
    assert first["curve"][0][2] == started["curve"][0][2]  # of the validation samples


@pytest.mark.parametrize("optimizer", peers.OPTIMIZERS)
@pytest.mark.parametrize("train", ["all", "head"])
def test_backpropagation_learns_and_keeps_the_best(task, optimizer, train):
    row = peers.run(task, optimizer, train, 3e-2, seed=0)
    assert row["validation_loss"] < row["base_loss"]
    assert row["parameters"] == (51 if train == "head" else 51 + 40)
    assert row["kept_step"] > 0


def test_backpropagation_is_that_of_the_product(task, monkeypatch):
    import stepforward as sf

    monkeypatch.setattr(peers, "PATIENCE", None)
    row = peers.run(task, "momentum", "all", 3e-2, seed=2)
    same = sf.adapt(
        task.base(), task.data, test=task.test, method="backprop", train="all", seed=2, lr=3e-2,
        steps=peers.STEPS, progress=False,
    )  # fmt: skip
    assert row["adapted"] == pytest.approx(same["adapted_accuracy"])
    assert row["kept_step"] == same["kept_step"]


def test_a_diverged_run_keeps_the_base(task):
    row = peers.run(task, "sgd", "all", 99.0, seed=0)
    assert row["kept_step"] == 0 and row["adapted"] == row["zero_shot"]


@pytest.mark.parametrize(("best", "first"), [(1e-3, 1e-2), (1e-1, 1e-2), (1e-2, 1e-2)])
def test_the_search_walks_to_the_best_rate(best, first):
    asked = []

    def loss(lr):
        asked.append(lr)
        return abs(np.log10(lr / best))

    assert peers.best_rate(loss, first, base=9.0) == best
    assert len(asked) == len(set(asked)) < 8


def test_the_search_goes_down_past_rates_that_learn_nothing():
    losses = dict.fromkeys(peers.GRID, 1.0) | {1e-5: 0.5, 3e-6: 0.6}
    assert peers.best_rate(losses.__getitem__, 1e-2, base=1.0) == 1e-5


@pytest.mark.parametrize("method", unlabelled.METHODS)
def test_peers_without_labels_leave_the_task_as_it_is(task, method):
    before = task.unfolded[1].running_mean.clone()
    row = unlabelled.run(task, method)
    assert 0 <= row["adapted"] <= 1
    assert torch.equal(task.unfolded[1].running_mean, before) and not task.unfolded.training


def test_a_fingerprint_depends_on_the_samples(task):
    x, y = task.data
    other = Task(task.model, task.calibration, (x, (y + 1) % 3), task.test)
    same = Task(task.model, task.calibration, task.data, task.test)
    assert same.fingerprint() == task.fingerprint() != other.fingerprint()
