"""What the learner alone can say of itself; the story of the run says the rest."""

from dataclasses import dataclass

from stepforward.memory import Memory
from stepforward.run.fidelity import Fidelity
from stepforward.run.search import Found


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one network and its training; fields as of `run.result.RunResult`."""

    bits: str
    memory: Memory
    trainable_parameters: int
    notes: list[str]
    host_scratch_bytes: int | None = None
    quantization: Fidelity | None = None
    found: Found | None = None
