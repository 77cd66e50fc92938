"""What an engine or a firmware trains with: a program and a plan that belong together."""

from collections.abc import Sequence

from stepforward.program.arena import plan_arena
from stepforward.program.model import Program
from stepforward.program.temperature import at_temperature
from stepforward.program.training_plan import TrainingPlan, plan_training
from stepforward.settings import Settings


def for_training(
    program: Program, trainable: Sequence[int], settings: Settings
) -> tuple[Program, TrainingPlan]:
    """The program and the plan of a training run, as `.sfp` and `.sft` carry them to a device.

    The program's losses are taken at the settings' temperature, and its arena keeps the activations that the first
    trainable operator reads.

    Args:
        program: as lowered from a quantized model.
        trainable: parameter indices that move, in any order.
        settings: real-valued settings.

    Raises:
        StepforwardError: nothing is trainable, or a number does not fit the arithmetic.
    """
    plan = plan_training(program, trainable, settings)
    return plan_arena(at_temperature(program, settings.temperature), plan.first_op), plan
