import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepforward.arithmetic import step
from stepforward.arithmetic.directions import STOCHASTIC_ROUNDING, direction, half_words
from stepforward.plan.model import Objective, Trainable, TrainingPlan
from stepforward.program.model import Tensor

N = 40


def plan(**changes):
    entry = Trainable(0, 0, (50000,), (12,), (40000,), (14,))
    base = {
        "seed": 7,
        "directions": 2,
        "distribution": "normal",
        "perturbation": "exact",
        "rounding": "nearest",
        "momentum": 0,
        "momentum_bits": 0,
        "schedule": "constant",
        "steps": 100,
        "warmup": 0,
        "first_op": 0,
        "z_rescale": (57800, 21),
        "trainable": (entry,),
        "elements": N,
        "share_batch": False,
    }
    return TrainingPlan(Objective("cross_entropy", 1, 0), **{**base, **changes})


def tensor(dtype="s16", channels=1):
    rule = ("divide", N // channels) if channels > 1 else ("one", 1)
    return Tensor("w", (N,), dtype, (1e-4,) * channels, 0, 0, *rule)


weights = st.lists(st.integers(-32767, 32767), min_size=N, max_size=N).map(np.array)


@given(weights, st.integers(0, 99), st.sampled_from((1, -1)))
def test_the_exact_perturbation_adds_the_rounded_direction_and_saturates(w, t, sign):
    p = plan()
    z = direction("normal", 7, t, 1, 0, N)
    moved = step.perturb(p, p.trainable[0], tensor(), w, t, [(1, sign)])
    for old, new, zi in zip(w.tolist(), moved.tolist(), z.tolist(), strict=True):
        delta = math.floor(Fraction(zi * 50000, 2**12) + Fraction(1, 2))
        assert new == max(-32767, min(32767, old + sign * delta))


def test_the_paper_perturbation_shrinks_the_weights_and_ours_does_not():
    silent = Trainable(0, 0, (0,), (0,), (1,), (14,))
    w = np.full(N, 30000)
    paper = step.perturb(plan(perturbation="paper"), silent, tensor(), w, 0, [(0, 1)])
    exact = step.perturb(plan(), silent, tensor(), w, 0, [(0, 1)])
    assert (exact == w).all()
    assert (np.abs(paper / w - 36 * 3.5 / 127) < 1e-3).all()


@settings(max_examples=60)
@given(weights, st.sampled_from(("nearest", "floor", "stochastic")), st.tuples(*[st.integers(-1, 1)] * 2))
def test_the_update_is_the_formula_of_the_contract(w, rounding, votes):
    p = plan(rounding=rounding, schedule="linear")
    moved = step.update(p, p.trainable[0], tensor(), w, None, 25, votes)
    g = sum(v * direction("normal", 7, 25, i, 0, N) for i, v in enumerate(votes)) + np.zeros(N, dtype=int)
    u16 = half_words(7, 25, STOCHASTIC_ROUNDING, 0, N)
    for i in range(N):
        product = int(g[i]) * 40000 * (32768 * 75 // 100)
        extra = {"nearest": 2**28, "floor": 0, "stochastic": int(u16[i]) << 13}[rounding]
        assert moved[i] == max(-32767, min(32767, int(w[i]) - ((product + extra) >> 29)))


def test_momentum_accumulates_and_fades():
    p = plan(momentum=round(0.9 * 32768), momentum_bits=2)
    velocity, w = np.zeros(N, dtype=np.int64), np.zeros(N, dtype=np.int64)
    w = step.update(p, p.trainable[0], tensor(), w, velocity, 0, (1, 0))
    z = direction("normal", 7, 0, 0, 0, N)
    assert (velocity == z << 2).all()
    step.update(p, p.trainable[0], tensor(), w, velocity, 1, (0, 0))
    assert (np.abs(velocity - 0.9 * (z << 2)) <= 0.51).all()


def test_channels_have_their_own_scalers():
    entry = Trainable(0, 0, (50000, 0), (12, 12), (0, 40000), (14, 14))
    p, w = plan(trainable=(entry,)), np.zeros(N, dtype=np.int64)
    probe = step.perturb(p, entry, tensor(channels=2), w, 0, [(0, 1)])
    moved = step.update(p, entry, tensor(channels=2), w, None, 0, (1, 1))
    assert probe[: N // 2].any() and not probe[N // 2 :].any()
    assert not moved[: N // 2].any() and moved[N // 2 :].any()


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_schedules_start_full_and_never_leave_their_range(schedule):
    rates = [step.rate(schedule, t, 50, 0) for t in range(50)]
    assert rates[0] == 32768
    assert all(0 <= rate <= 32768 for rate in rates) and rates == sorted(rates, reverse=True)


def test_cosine_follows_the_cosine():
    for t in range(1000):
        real = 16384 * (1 + math.cos(math.pi * t / 1000))
        assert abs(step.rate("cosine", t, 1000, 0) - real) < 2


def test_warm_up_rises_linearly():
    assert [step.rate("constant", t, 100, 4) for t in range(5)] == [8192, 16384, 24576, 32768, 32768]
