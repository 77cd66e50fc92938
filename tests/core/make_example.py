"""Writes an example program and training plan with what the core must make of them, for the C tests."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import small
from plain import plain

from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.matching.measure import references
from stepforward.matching.plan import for_matching
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan import fileformat as plan_file
from stepforward.plan.make import for_training, plan_training
from stepforward.plan.masks import masked, of_bits
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import to_bytes

STEPS, SAMPLES = 20, 5


def main(folder: Path) -> None:
    """Write a program and a plan, samples, and what 20 steps give; other programs for the head alone, for 8-bit weights
    in short and in long rows, and for windows in the padding; and one of 3x3 convolutions and one of long rows with
    what the first has; and plans of every section."""
    program = small.small_program(per_channel=True)
    settings = plain(
        steps=STEPS, epsilon=0.02, lr=0.02, directions=2, seed=11, momentum=0.5, share_batch=False
    )
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, SAMPLES)
    head_plan = plan_training(program, [6, 7], settings)
    bytes_program = small.small_program("s8", per_channel=True)
    bytes_plan = plan_training(bytes_program, range(program.parameter_count), settings)
    bytes_program = plan_arena(bytes_program, bytes_plan.first_op)
    wide_program = small.wide_program("s8")
    wide_plan = plan_training(wide_program, range(wide_program.parameter_count), settings)
    padded_program = small.padded_program()
    padded_plan = plan_training(padded_program, range(2), settings)
    more = {
        "head.sfp": to_bytes(plan_arena(program, head_plan.first_op)),
        "head.sft": plan_file.to_bytes(head_plan),
        "bytes.sfp": to_bytes(bytes_program),
        "bytes.sft": plan_file.to_bytes(bytes_plan),
        "wide.sfp": to_bytes(plan_arena(wide_program, wide_plan.first_op)),
        "wide.sft": plan_file.to_bytes(wide_plan),
        "padded.sfp": to_bytes(plan_arena(padded_program, padded_plan.first_op)),
        "padded.sft": plan_file.to_bytes(padded_plan),
    }
    write(folder, trained(program, plan, x, y) | more)

    for name, program in (
        ("convolutions", small.convolutions_program()),
        ("rows", small.long_rows_program()),
    ):
        plan = plan_training(program, range(program.parameter_count), settings)
        program = plan_arena(program, plan.first_op)
        write(folder / name, trained(program, plan, *small.samples(program, SAMPLES)))

    write(folder / "plans", dict(every_section()))


def every_section():
    """A program and a plan for every section and option, as test_fuzz.c names them."""
    low = small.small_program("s8", per_channel=True)
    wide = small.small_program()
    options = {
        "plain": (wide, {"momentum": 0.5, "share_batch": False}),
        "head": (wide, {"tail": "exact", "moving": [6, 7]}),
        "tail": (wide, {"tail": "exact", "momentum": 0.5, "rounding": "stochastic"}),
        "two layers": (small.wide_program("s16", channels=3), {"tail": "exact", "tail_layers": 2}),
        "fractions": (low, {"low_bits": "fraction-4", "momentum": 0.5}),
        "together": (low, {"low_bits": "accumulate-2"}),
        "graded": (wide, {"votes": "graded", "sizes": "relative"}),
        "curved": (wide, {"votes": "curved", "sizes": "relative"}),
        "guided": (low, {"guide": 0.6, "votes": "graded"}),
        "sharp": (wide, {"sharpness": 2}),
        "adam": (low, {"optimizer": "adam", "momentum": 0.9}),
        "masked": (wide, {"sparsity": 0.5}),
        "sampled": (low, {"sparsity": 0.5, "mask": "random"}),
        "bits": (wide, {"sparsity": 0.3, "mask": "saliency", "guide": 0.3}),
        "leg": (wide, {"schedule": "cosine", "warmup": 2}),
    }
    for name, (program, given) in options.items():
        moving = given.pop("moving", range(program.parameter_count))
        settings = plain(steps=STEPS, **{"epsilon": 0.02, "lr": 0.02, "directions": 2} | given)
        program, plan = for_training(program, moving, settings)
        if name == "leg":
            plan = replace(plan, first_step=STEPS // 2)
        if name == "bits":
            sizes = {entry.tensor: program.tensors[entry.tensor].elements for entry in plan.trainable}
            plan = masked(plan, {index: of_bits(np.arange(size) % 3 > 0) for index, size in sizes.items()})
        yield f"{name}.sfp", to_bytes(program)
        yield f"{name}.sft", plan_file.to_bytes(plan)
    yield "matching.sfp", to_bytes(low)
    yield (
        "matching.sft",
        plan_file.to_bytes(for_matching(low, references(low, small.samples(low, 32)[0]))),
    )


def trained(program, plan, x, y) -> dict[str, bytes]:
    """A program, a plan and samples, and what training makes of them."""
    engine = ReferenceEngine(program, plan)
    votes = [
        vote
        for step in qzo_ff(engine, lambda step: Batch.of(x, y), range(STEPS), 2, plan.share_batch)
        for vote in step.votes
    ]
    return {
        "program.sfp": to_bytes(program),
        "plan.sft": plan_file.to_bytes(plan),
        "samples": x.tobytes(),
        "labels": y.astype("<i4").tobytes(),
        "votes": bytes(vote & 255 for vote in votes),
        "weights": engine.snapshot().weights,
        "logits": logits_of(engine, x).astype("<i4").tobytes(),
    }


def write(folder: Path, files: dict[str, bytes]) -> None:
    """All files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
