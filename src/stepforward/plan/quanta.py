"""How far a plan moves weights, in their own quanta."""

from stepforward.arithmetic.adam import ONE
from stepforward.arithmetic.tables import DELTA_Z
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program


def quanta(program: Program, plan: TrainingPlan) -> dict[str, tuple[float, float]]:
    """How many quanta of each tensor that votes move a probe and a step move at z = 1, by name: below 0.5 nothing does.
    Where there are fraction bits a step moves those, and a probe what a forward pass sees.
    """
    result: dict[str, tuple[float, float]] = {}
    for entry in plan.voted:
        if plan.perturbation == "paper":
            probe: float = max(entry.perturb_mult)
        else:
            pairs = zip(entry.perturb_mult, entry.perturb_shift, strict=True)
            probe = max(mult / 2**shift for mult, shift in pairs) / DELTA_Z
        probe /= 2**entry.fraction_bits
        pairs = zip(entry.update_mult, entry.update_shift, strict=True)
        one = ONE if plan.decay else 2**plan.momentum_bits * plan.vote_one / DELTA_Z
        step = max(mult / 2**shift for mult, shift in pairs) * one
        result[program.tensors[entry.tensor].name] = (probe, step)
    return result
