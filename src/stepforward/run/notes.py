"""What a user should know about a run besides its figures."""

from stepforward.program.model import Program
from stepforward.program.training_plan import TrainingPlan, quanta
from stepforward.run.training import Run


def notes(program: Program, plan: TrainingPlan, run: Run) -> list[str]:
    """Tensors that could not move, and a run that did not help."""
    moves = quanta(program, plan)
    found = []
    still = [name for name, (probe, _) in moves.items() if probe < 0.5]
    if still:
        found.append(
            f"epsilon is below half a quantum of {_names(still)}: probes do not move there; use a larger epsilon"
        )
    slow = [name for name, (_, step) in moves.items() if step / plan.directions < 0.01]
    if slow:
        found.append(
            f"the learning rate is far below a quantum of {_names(slow)}: hardly anything moves there"
        )
    if not run.best.step:
        found.append("no weights seen were better on the validation samples: the base is returned unchanged")
    return found


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more tensors" if len(names) > 3 else "")
