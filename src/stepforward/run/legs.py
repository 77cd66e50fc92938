"""The legs of a run: where it goes back to better weights with a smaller rate, and where it is extended."""

import math
from collections.abc import Sequence
from dataclasses import replace

from stepforward.journal import Leg
from stepforward.plan.make import for_training
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.settings import Settings

CHECKS = (4, 8, 16, 32)
"""Steps after the beginning of a leg at which the run looks whether it diverges, besides at validations."""

NOISE = 0.1
"""A rise of the loss that means nothing, nats per sample."""

SMALLER = 3.0
"""What the learning rate is divided by when a run has diverged."""

_MOST_RETURNS, _FEWEST_STEPS = 6, 8
LATE = 0.75
"""Share of a leg after which its best weights are late: the loss still falls."""


def first_leg(settings: Settings) -> Leg:
    """All steps that the settings say."""
    return Leg(0, 0, settings.steps, settings.searched().lr)


def diverges(correct: int, loss: float, base_correct: int, base_loss: float, noise: float) -> bool:
    """Whether weights are clearly worse than those that were given: fewer samples correct, and a much higher loss.

    Args:
        correct, loss: of the present weights on the validation samples.
        base_correct, base_loss: of the given ones.
        noise: a loss that means nothing, in the same unit.
    """
    return correct < base_correct and loss > 1.25 * base_loss + noise


def back(leg: Leg, step: int, best: int, returns: int) -> Leg | None:
    """The next leg of a run that has diverged after `step` steps: from its best weights, at a smaller rate.

    None where that did not help often enough, or no steps are left.
    """
    if returns == _MOST_RETURNS or leg.steps - step < _FEWEST_STEPS:
        return None
    return Leg(step, best, leg.steps, leg.lr / SMALLER)


def extended(leg: Leg, best: int, most: int) -> Leg | None:
    """The next leg of a run whose held-out loss still fell: as many steps again as there were, at the rate for all.

    None where its best weights came before the last quarter of the leg, or it has taken the most steps it may.
    """
    late = best > leg.first + LATE * (leg.steps - leg.first)
    steps = min(most, 2 * leg.steps)
    return Leg(leg.steps, leg.steps, steps, leg.lr / math.sqrt(2)) if late and steps > leg.steps else None


def leg_plan(program: Program, trainable: Sequence[int], settings: Settings, leg: Leg) -> TrainingPlan:
    """The plan of a leg: that of the run, with its own rate and schedule. An exact tail slows down with the rest.

    Args:
        program, trainable, settings: of the run; the settings with its own steps and rate.
        leg: which one.
    """
    own = replace(
        settings,
        steps=leg.steps,
        lr=leg.lr,
        tail_rate=settings.tail_rate * leg.lr / settings.searched().lr,
        warmup=0 if leg.first else settings.warmup,
    )
    _, plan = for_training(program, trainable, own)
    return replace(plan, first_step=leg.first)


def path(legs: tuple[Leg, ...], step: int) -> list[tuple[int, range]]:
    """The steps that lead to the weights after `step` of them: numbers of legs, and steps of each.

    >>> path((Leg(0, 0, 100, 0.1), Leg(40, 30, 100, 0.03)), 50)
    [(0, range(0, 30)), (1, range(40, 50))]
    """
    number = max(i for i, leg in enumerate(legs) if i == 0 or leg.first < step)
    leg = legs[number]
    before = path(legs[:number], leg.back) if number else []
    return [*before, (number, range(leg.first, step))]
