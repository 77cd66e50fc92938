import time

import pytest

from stepforward.bench import timing
from stepforward.bench.ratios import ratios
from stepforward.bench.timing import Round, Timing, interleave, measure, shares


def test_calls_take_turns_and_are_timed_apart():
    order = []
    calls = {
        "slow": lambda: (order.append("slow"), time.sleep(0.03)),
        "slower": lambda: (order.append("slower"), time.sleep(0.06)),
    }
    times = interleave(calls, seconds=0.01)
    assert order[-6:] == ["slow", "slower", "slower", "slow", "slow", "slower"]
    assert 0.03 <= times["slow"].low <= times["slow"].median <= times["slow"].high < times["slower"].low
    assert times["slow"].rounds == 3


def test_a_disturbed_round_is_set_aside(monkeypatch):
    shares = iter([0.9, 0.0, 0.0, 0.05, 0.8])
    naps = iter([0.03, 0.03, 0.2, 0.03, 0.03, 0.03, 0.2])

    class Scripted:
        def share(self):
            return next(shares)

    monkeypatch.setattr(timing, "Others", Scripted)
    result = interleave({"call": lambda: time.sleep(next(naps))}, seconds=60, most_rounds=3)["call"]
    assert (result.rounds, result.others) == (3, pytest.approx(0.05 / 3))
    assert result.high < 0.1


def test_ratios_are_peer_over_ours_and_the_step_over_two_forwards():
    seconds = {
        "core_forward": 2.0,
        "torch_f32_forward": 6.0,
        "ort_f32_forward": 1.0,
        "core_step": 5.0,
        "backprop_step": 20.0,
    }
    times = {name: Timing(value, value, value, 3, 0.0) for name, value in seconds.items()}
    assert ratios(times) == {
        "forward_vs_torch_f32": 3.0,
        "forward_vs_ort_f32": 0.5,
        "step_vs_backprop": 4.0,
        "step_vs_two_forwards": 1.25,
    }


def test_a_share_is_taken_within_each_round():
    # the machine slows down to a half: the share does not notice
    rounds = [Round(0.0, {"all": 2.0 * k, "head": 1.0 * k}) for k in (1, 2, 1, 2)]
    rounds.append(Round(0.0, {"all": 2.0, "head": 1.5}))
    assert shares(rounds, "head", "all") == (0.5, 0.5, 0.5)


def test_every_round_has_every_call():
    rounds = measure({"a": lambda: time.sleep(0.03), "b": lambda: time.sleep(0.03)}, seconds=0.01)
    assert [set(row.seconds) for row in rounds] == [{"a", "b"}] * 3
