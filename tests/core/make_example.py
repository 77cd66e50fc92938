"""Writes an example program and training plan with what the core must make of them, for the C tests."""

import sys
from pathlib import Path

import small

from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import to_bytes
from stepforward.program.training_plan import StepSettings, plan_training

STEPS, SAMPLES = 20, 5


def main(folder: Path) -> None:
    """Write a program and a plan, the same for training the head alone, samples, and what 20 steps must give."""
    program = small.small_program(per_channel=True)
    settings = StepSettings(STEPS, epsilon=0.02, lr=0.02, directions=2, seed=11, momentum=0.5)
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, SAMPLES)
    head_plan = plan_training(program, [6, 7], settings)
    engine = ReferenceEngine(program, plan)
    votes = [vote for step in qzo_ff(engine, lambda step: (x, y), range(STEPS), 2) for vote in step.votes]
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "program.sfp": to_bytes(program),
        "plan.sft": plan.to_bytes(),
        "head.sfp": to_bytes(plan_arena(program, head_plan.first_op)),
        "head.sft": head_plan.to_bytes(),
        "samples": x.tobytes(),
        "labels": y.astype("<i4").tobytes(),
        "votes": bytes(vote & 255 for vote in votes),
        "weights": engine.weights(),
        "logits": engine.logits(x).astype("<i4").tobytes(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
