"""Momentum-guided directions in the C core against the reference, on hosts and in the loop of devices."""

import numpy as np
import pytest
import small
from alike import trained
from plain import plain

from stepforward.arithmetic.guide import after, guided
from stepforward.engines.core import CoreEngine
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("share", [0.001, 0.6, 0.99])
def test_guided_directions_train_to_the_same_bits(dtype, directions, share):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    settings = plain(steps=6, lr=0.05, directions=directions, guide=share, sizes="relative", votes="graded")
    trained(program, plan_training(program, range(8), settings), steps=6)


@pytest.mark.parametrize(
    "changes",
    [
        {"momentum": 0.9, "rounding": "stochastic"},
        {"perturbation": "paper", "rounding": "floor", "distribution": "rademacher"},
        {"tail": "exact", "distribution": "binomial", "low_bits": "fraction-8"},
        {"low_bits": "fraction-4", "sparsity": 0.5},
        {"sparsity": 0.7, "mask": "random", "share_batch": False},
    ],
    ids=str,
)
def test_a_guide_goes_with_other_settings(changes):
    program = small.small_program("s8", per_channel=True)
    settings = {"steps": 5, "lr": 0.05, "epsilon": 0.01, "directions": 2, "guide": 0.5} | changes
    trained(program, plan_training(program, range(8), plain(**settings)), steps=5)


@pytest.mark.parametrize("votes", [(0, 0), (127, 127), (-128, -128), (-128, 127), (1, -1), (0, 1)])
def test_any_votes_move_the_guide_alike(votes):
    program = small.small_program()
    plan = plan_training(program, range(8), plain(steps=9, directions=2, guide=0.9, lr=1e-4))
    engines = CoreEngine(program, plan), ReferenceEngine(program, plan)
    for step in range(3):
        for engine in engines:
            engine.update(step, votes)
        assert engines[0].snapshot() == engines[1].snapshot()
    guide = next(part for part in plan.state if part.kind == "guide")
    assert guide.bytes == plan.elements
    assert any(engines[0].snapshot().state[guide.first :]) == any(votes)


def test_a_guided_direction_has_the_deviation_of_a_drawn_one():
    mix, rng = (19661, 26214), np.random.default_rng(0)
    guide, deviations, likeness = np.zeros(20000, np.int64), [], []
    for step in range(6):
        drawn = [np.round(36 * rng.standard_normal(20000)).astype(np.int64) for _ in range(3)]
        z = [guided(mix, one, guide) if step else one for one in drawn]
        votes = (8, -3, 1)
        g = sum(vote * one for vote, one in zip(votes, z, strict=True))
        likeness.append(np.corrcoef(z[0], guide)[0, 1] if step else 0.6)
        guide = after(mix, guide, g, votes)
        deviations += [one.std() for one in z]
    assert np.allclose(deviations, 36, rtol=0.05) and np.allclose(likeness, 0.6, atol=0.05)


def test_steps_that_move_the_weights_together_have_no_guide():
    with pytest.raises(StepforwardError, match=r"low_bits = .accumulate-4. with guide = 0\.5"):
        plain(low_bits="accumulate-4", guide=0.5)
