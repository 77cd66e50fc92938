"""The program and the training plan of the measurements."""

from typing import Any

from stepforward.moving.select import select
from stepforward.plan.make import for_training
from stepforward.plan.model import TrainingPlan
from stepforward.presets import with_preset
from stepforward.program.model import Program
from stepforward.settings import Settings

STEPS = 1 << 20
"""More than any measurement takes."""

ONE_DIRECTION: dict[str, Any] = {"directions": 1, "share_batch": False}
"""A step as the paper takes it; all others are of the first release's, four directions that share the batch."""


def training(program: Program, train: str = "all", **changes: Any) -> tuple[Program, TrainingPlan]:
    """A program and its plan with the settings of the first release except for `changes`; the rate does not fall."""
    settings = Settings(**with_preset("first-release", {"steps": STEPS, "schedule": "constant", **changes}))
    return for_training(program, select(program, train), settings)
