"""What a device holds in RAM of a network's weights."""

from stepforward.engines.weights import moving_bytes
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program


def trained_bytes(program: Program, plan: TrainingPlan, section: bytes) -> bytes:
    """The trained tensors of a weights section, each filled up to a multiple of four bytes."""
    tensors = [program.tensors[entry.tensor] for entry in plan.trainable]
    return b"".join(section[t.offset : t.offset + t.bytes].ljust(moving_bytes(t), b"\0") for t in tensors)
