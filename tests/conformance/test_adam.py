"""Adam in the C core against the reference, on hosts and in the loop of devices."""

import numpy as np
import pytest
import small
from alike import trained
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training
from stepforward.plan.quanta import quanta


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_adam_trains_to_the_same_bits(dtype, directions, momentum):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    settings = {"steps": 9, "lr": 0.05, "directions": directions, "momentum": momentum, "votes": "graded"}
    plan = plan_training(program, range(8), plain(optimizer="adam", sizes="relative", **settings))
    assert trained(program, plan, steps=9) != program.weights


@pytest.mark.parametrize(
    "changes",
    [
        {"rounding": "stochastic"},
        {"perturbation": "paper", "rounding": "floor", "distribution": "rademacher"},
        {"tail": "exact", "distribution": "binomial", "low_bits": "fraction-8"},
        {"low_bits": "fraction-4", "sparsity": 0.5, "guide": 0.5, "sharpness": 1},
    ],
    ids=str,
)
def test_adam_goes_with_other_settings(changes):
    program = small.small_program("s8", per_channel=True)
    settings = {"steps": 6, "lr": 0.05, "epsilon": 0.01, "directions": 2, "momentum": 0.5} | changes
    trained(program, plan_training(program, range(8), plain(optimizer="adam", **settings)), steps=6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("votes", [(127, -128), (-128, -128), (0, 0), (1, 0)])
def test_any_votes_are_divided_alike(votes, momentum):
    program = small.small_program()
    settings = plain(steps=300, directions=2, optimizer="adam", momentum=momentum, lr=1e-3)
    plan = plan_training(program, range(8), settings)
    engines = CoreEngine(program, plan), ReferenceEngine(program, plan)
    for step in (0, 1, 2, 126, 127, 128, 299):
        for engine in engines:
            engine.update(step, votes if step != 2 else (0, -1))
        assert engines[0].snapshot() == engines[1].snapshot()
    squares = next(part for part in plan.state if part.kind == "squares")
    assert squares.bytes == 4 * plan.elements


def test_a_move_does_not_depend_on_the_size_of_the_votes():
    program = small.small_program()
    settings = {"steps": 400, "directions": 1, "votes": "graded", "distribution": "rademacher"}
    plan = plan_training(program, [0], plain(optimizer="adam", momentum=0.9, lr=1e-2, **settings))
    moved = []
    for size in (8, 24):
        engine = CoreEngine(program, plan)
        for step in range(40):
            engine.update(step, (size,))
        after, before = (
            np.frombuffer(w[:216], "<i2").astype(int) for w in (engine.snapshot().weights, program.weights)
        )
        moved.append(np.abs(after - before).mean())
    assert abs(moved[0] - moved[1]) < 0.02 * moved[0] > 0
    assert quanta(program, plan)["stem.weight"][1] > 0


def test_steps_that_move_the_weights_together_have_no_adam():
    with pytest.raises(StepforwardError, match=r"low_bits = .accumulate-4. with optimizer = .adam."):
        plain(low_bits="accumulate-4", optimizer="adam")
