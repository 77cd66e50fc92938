"""What a program needs of a device's memory, for inference and for training."""

from dataclasses import dataclass

from stepforward.engines.core import device_inference_bytes, device_scratch_bytes
from stepforward.engines.weights import moving_bytes
from stepforward.journal import STEPS_PER_RECORD
from stepforward.plan.make import training_arena
from stepforward.plan.model import TrainingPlan
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program

_STATE = {
    "momentum": "momentum buffer",
    "vote scale": "running scale of the votes",
    "fractions": "fraction bits of the weights",
    "held votes": "votes of the steps that move the weights together",
    "tail": "sums of the exact tail",
    "guide": "guide of the directions",
    "squares": "mean squares of Adam",
    "curvature": "sums of curved votes",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """Bytes by purpose, of a device that loops over single samples.

    Attributes:
        weight_bytes: all parameters; a device holds the trained ones in RAM.
        scratch_bytes_inference: of a device that only runs the network, and reads 16-bit weights where they lie.
        scratch_bytes_training: of a device that trains.
        row_tile_bytes: what staged weights add to the activations in it.
        backprop_scratch_bytes: of float32 backpropagation, calculated.
        other_ram: what else a device must hold in RAM while it trains.
    """

    weight_bytes: int
    scratch_bytes_inference: int
    scratch_bytes_training: int
    row_tile_bytes: int
    backprop_scratch_bytes: int
    other_ram: dict[str, int]


def memory(program: Program, plan: TrainingPlan) -> Memory:
    """What a device needs for a program and its training."""
    trained = training_arena(program, plan)
    training = device_scratch_bytes(trained)
    moving = sum(moving_bytes(program.tensors[entry.tensor]) for entry in plan.trainable)
    return Memory(
        weight_bytes=len(program.weights),
        scratch_bytes_inference=device_inference_bytes(plan_arena(program)),
        scratch_bytes_training=training,
        row_tile_bytes=training - trained.arena_bytes,
        backprop_scratch_bytes=backprop_bytes(program, plan),
        other_ram={
            "trainable weights (they change; all others stay in flash)": moving,
            "momentum buffer": 0,
            **{_STATE[part.kind]: part.bytes for part in plan.state},
            "probes and losses of up to 6 directions, on the stack": 40 * min(plan.directions, 6),
            "journal buffer": 14 + STEPS_PER_RECORD * plan.directions,
            "one input sample, if not in flash": program.tensors[program.input].bytes,
        },
    )


def backprop_bytes(program: Program, plan: TrainingPlan) -> int:
    """Scratch of float32 backpropagation over the same trainable set, one sample, calculated.

    Every activation that a weight gradient or a later derivative needs is kept (the inputs of all operators from the
    first trainable one on), plus one gradient per trainable parameter.
    """
    kept = {index for op in program.ops[plan.first_op :] for index in (*op.inputs, op.output)}
    return 4 * sum(program.tensors[index].elements for index in kept) + 4 * plan.elements


def multiply_accumulates(program: Program, op: Op) -> int:
    """Multiplications of one sample in one operator; 0 for operators without weights."""
    if not op.what.parametric:
        return 0
    return op.what.products(program.tensors[op.weight], program.tensors[op.output])
