"""The training plan of the measurements."""

from stepforward.program.model import Program
from stepforward.program.training_plan import StepSettings, TrainingPlan, plan_training
from stepforward.trainable import select

STEPS = 1 << 20
"""More than any measurement takes."""


def plan(program: Program, train: str = "all", directions: int = 1) -> TrainingPlan:
    """All settings but the trainable set and m at their defaults; the rate does not fall."""
    settings = StepSettings(STEPS, directions=directions, schedule="constant")
    return plan_training(program, select(program, train), settings)
