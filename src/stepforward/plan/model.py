"""The training plan in memory: what the reference, the core and the firmware read (docs/file-formats.md, section 2)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """What a step makes smaller, of the program's output.

    Attributes:
        kind: of `OBJECTIVES`.
        mult, shift: the logits' scale, divided by the temperature, as the loss takes it (contract, section 5).
    """

    kind: str
    mult: int
    shift: int


OBJECTIVES = ("cross_entropy",)
"""Kinds of objective, in the order of their codes in a file: the code is the index plus one."""


@dataclass(frozen=True)
class Trainable:
    """One trainable tensor; the four lists hold one entry, or one per output channel.

    `perturb_mult` is eps_q in the paper's perturbation, where `perturb_shift` is 0 and unused.
    """

    tensor: int
    first_element: int
    perturb_mult: tuple[int, ...]
    perturb_shift: tuple[int, ...]
    update_mult: tuple[int, ...]
    update_shift: tuple[int, ...]


@dataclass(frozen=True)
class TrainingPlan:
    """Settings reduced to integers for one program; docs/file-formats.md has the fields.

    `elements` counts the trainable parameters.
    """

    objective: Objective
    seed: int
    directions: int
    distribution: str
    perturbation: str
    rounding: str
    momentum: int
    momentum_bits: int
    schedule: str
    steps: int
    warmup: int
    first_op: int
    z_rescale: tuple[int, int]
    trainable: tuple[Trainable, ...]
    elements: int
    share_batch: bool

    @property
    def state_bytes(self) -> int:
        """Bytes that one step leaves for the next, zero before the first: an s16 of momentum for each element."""
        return 2 * self.elements if self.momentum else 0
