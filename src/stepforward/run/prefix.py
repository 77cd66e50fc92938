"""What the layers before the first that moves give, run once for every sample instead of in every step."""

from dataclasses import dataclass, replace

from stepforward.engines.before import run_before
from stepforward.plan.model import TrainingPlan
from stepforward.program.cut import after, joint, last_joint
from stepforward.program.model import Program
from stepforward.run.learner import Samples
from stepforward.settings import Settings

MOST_BYTES = 256 << 20
"""What the outputs of all samples may take on a host."""


@dataclass(frozen=True)
class Prefix:
    """How much of the way samples have gone before a run.

    Attributes:
        position: operators that are behind them; 0: none.
        samples: what is run in the steps, by part.
        bytes: that were kept for it.
    """

    position: int
    samples: dict[str, Samples]
    bytes: int = 0

    def program(self, program: Program) -> Program:
        """What is left of a program."""
        return after(program, self.position) if self.position else program

    def plan(self, plan: TrainingPlan) -> TrainingPlan:
        """The same plan for what is left of its program."""
        if not self.position:
            return plan
        tail = plan.tail
        if tail is not None:
            before = tail.before and replace(tail.before, op=tail.before.op - self.position)
            tail = replace(tail, op=tail.op - self.position, before=before)
        return replace(plan, first_op=plan.first_op - self.position, tail=tail)


def run_prefix(
    program: Program, plan: TrainingPlan, samples: dict[str, Samples], settings: Settings
) -> Prefix:
    """Send all samples through the layers before the first that moves, where a host may spend the memory.

    The bits of a run do not depend on it.

    Args:
        program: with these layers as they stay.
        plan: of the run.
        samples: quantized inputs and labels, by part.
        settings: of the run; its `memory` and `threads` count.
    """
    position = last_joint(program, plan.first_op)
    place = joint(program, position)
    count = sum(len(y) for _, y in samples.values())
    if place is None or settings.memory != "fast" or count * program.tensors[place].bytes > MOST_BYTES:
        return Prefix(0, samples)
    parts = run_before(program, position, [x for x, _ in samples.values()], settings.threads)
    reached = {name: (x, y) for x, (name, (_, y)) in zip(parts, samples.items(), strict=True)}
    return Prefix(position, reached, sum(x.nbytes for x, _ in reached.values()))
