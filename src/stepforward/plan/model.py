"""The training plan in memory: what the reference, the core and the firmware read (docs/file-formats.md, section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepforward.arithmetic.curvature import ONE as WHOLE
from stepforward.arithmetic.curvature import state_bytes as curve_bytes
from stepforward.arithmetic.votes import ONE


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


class Mask(NamedTuple):
    """Which elements of a tensor its directions move (contract, section 6).

    Attributes:
        form: of `MASK_FORMS`. random: by the seed; least: the base weight is no smaller than its channel's threshold;
            bits: those that are set.
        words: of random the share that moves, in 2^-16; of least a threshold for each scaler of the tensor; of bits
            one for every 32 elements, the first in the lowest bit.
    """

    form: str
    words: tuple[int, ...]


MASK_FORMS = ("random", "least", "bits")
"""Forms of a mask, in the order of their codes in a file: the code is the index plus one."""


@dataclass(frozen=True)
class Trainable:
    """One trainable tensor; the four lists hold one entry, or one per output channel.

    `perturb_mult` is eps_q in the paper's perturbation, where `perturb_shift` is 0 and unused. Below each s8
    or s4 weight may lie `fraction_bits` in the state: 8, 4 or 2; the multipliers then are those of the long numbers.
    """

    tensor: int
    first_element: int
    perturb_mult: tuple[int, ...]
    perturb_shift: tuple[int, ...]
    update_mult: tuple[int, ...]
    update_shift: tuple[int, ...]
    fraction_bits: int = 0
    mask: Mask | None = None


class StatePart(NamedTuple):
    """Where in the state one thing lies.

    Attributes:
        kind: of `STATE_PARTS`.
        first: its first byte, a multiple of 4.
        bytes: how many there are.
    """

    kind: str
    first: int
    bytes: int


STATE_PARTS = {
    "momentum": 1,
    "vote scale": 2,
    "fractions": 3,
    "held votes": 4,
    "tail": 5,
    "guide": 6,
    "matching": 7,
    "squares": 8,
    "curvature": 9,
}
"""What a state may hold, in this order, and how a file says so."""


@dataclass(frozen=True)
class Penultimate:
    """The layer before the last, where it moves by its exact gradient too (contract, section 10).

    Attributes:
        op: its operator.
        count: how many trainable tensors it has, 1 or 2: its weight, and perhaps its bias.
        bits: of an error at its outputs.
        shift: the power of two that brings sums of products to so many.
    """

    op: int
    count: int
    bits: int
    shift: int


@dataclass(frozen=True)
class Tail:
    """The last layer, where it moves by its exact gradient (contract, section 10), and perhaps the one before it.

    Attributes:
        op: its operator, the last of the program.
        count: how many trainable tensors it has, 1 or 2: the last of the plan, which no vote moves.
        bits: fraction bits of an error.
        inputs: of the layer where its weight moves, else 0.
        before: the layer before it, whose tensors come before its own in the plan; None: votes move that.
    """

    op: int
    count: int
    bits: int
    inputs: int
    before: Penultimate | None = None

    @property
    def tensors(self) -> int:
        """Trainable tensors that no vote moves."""
        return self.count + (self.before.count if self.before else 0)

    def state_bytes(self, elements: int) -> int:
        """Of its sums: samples, one for each of its elements, and two for each input; for the layer before it the
        deviation of its gradient and, on devices, one error for each input."""
        return 4 + 4 * elements + 8 * self.inputs + (8 + 4 * self.inputs if self.before else 0)


@dataclass(frozen=True)
class Curve:
    """Of curved votes (contract, section 8).

    Attributes:
        mult, shift: of a logit's step, in shares of epsilon and of 2^16.
        classes: of the program.
    """

    mult: int
    shift: int
    classes: int

    def state_bytes(self, directions: int) -> int:
        """Of the sums of a step, which leaves them at zero."""
        return curve_bytes(directions, self.classes)


@dataclass(frozen=True)
class TrainingPlan:
    """Settings reduced to integers for one program; docs/file-formats.md has the fields.

    `elements` counts the trainable parameters; the votes of `accumulate` steps move them together. The
    schedule begins at `first_step`, where a run returned to earlier weights or was extended. `guide` has the shares of
    a guided direction (contract, section 6); `sharpness` is how far uphill directions are tried;
    `decay` that of the mean squares which Adam divides by, 0 without it.
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
    accumulate: int = 1
    tail: Tail | None = None
    first_step: int = 0

    @property
    def voted(self) -> tuple[Trainable, ...]:
        """The tensors that votes move: all but the tail's."""
        return self.trainable[: len(self.trainable) - self.tail.tensors] if self.tail else self.trainable

    @property
    def voted_elements(self) -> int:
        """Elements of the tensors that votes move."""
        return self.trainable[-self.tail.tensors].first_element if self.tail else self.elements

    votes: str = "sign"
    curve: Curve | None = None
    guide: tuple[int, int] | None = None
    sharpness: int = 0
    decay: int = 0

    @property
    def state(self) -> tuple[StatePart, ...]:
        """What one step leaves for the next, zero before the first; a step leaves the tail's sums at zero."""
        sizes = {
            "momentum": 2 * self.voted_elements if self.momentum else 0,
            "vote scale": 8 if self.votes == "graded" else 0,
            "fractions": sum(fraction_bytes(self, i) for i in range(len(self.trainable))),
            "held votes": self.accumulate * self.directions if self.accumulate > 1 else 0,
            "tail": self.tail.state_bytes(self.elements - self.voted_elements) if self.tail else 0,
            "guide": self.voted_elements if self.guide else 0,
            "squares": 4 * self.voted_elements if self.decay else 0,
            "curvature": self.curve.state_bytes(self.directions) if self.curve else 0,
        }
        parts, at = [], 0
        for kind in STATE_PARTS:
            if sizes.get(kind):
                parts.append(StatePart(kind, at, sizes[kind]))
                at += -(-sizes[kind] // 4) * 4
        return tuple(parts)

    @property
    def vote_one(self) -> int:
        """What a vote of one deviation is, or a sign, or one that goes as far as its direction was tried."""
        return {"sign": 1, "graded": ONE, "curved": WHOLE}[self.votes]

    @property
    def state_bytes(self) -> int:
        """Bytes of the state."""
        return state_bytes(self.state)


def state_bytes(parts: Sequence[StatePart]) -> int:
    """Up to the end of the last part."""
    return parts[-1].first + parts[-1].bytes if parts else 0


def fraction_bytes(plan: TrainingPlan, index: int) -> int:
    """What the fractions of the trainable tensor at `index` of the plan take: whole bytes for each tensor."""
    return -(-elements_of(plan, index) * plan.trainable[index].fraction_bits // 8)


def elements_of(plan: TrainingPlan, index: int) -> int:
    """Elements of the trainable tensor at `index` of the plan."""
    follows = plan.trainable[index + 1 :][:1]
    end = follows[0].first_element if follows else plan.elements
    return end - plan.trainable[index].first_element
