"""The program and the training plan of the measurements."""

from typing import Any

from stepforward.moving.select import select
from stepforward.plan.make import for_training
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.settings import Settings

STEPS = 1 << 20
"""More than any measurement takes."""

ONE_DIRECTION: dict[str, Any] = {"directions": 1, "share_batch": False}
"""A step as the paper takes it; all other measurements are of the default, four directions that share the batch."""


def training(program: Program, train: str = "all", **changes: Any) -> tuple[Program, TrainingPlan]:
    """A program and its plan with the default settings except for `changes`; the rate does not fall."""
    settings = Settings(steps=STEPS, schedule="constant", **changes)
    return for_training(program, select(program, train), settings)
