"""Training settings reduced to integers for one program (docs/file-formats.md, section 2)."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.tables import DELTA_Z
from stepforward.errors import StepforwardError
from stepforward.program.model import Program, Tensor
from stepforward.settings import PERTURBATIONS, ROUNDINGS, SCHEDULES, Settings


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
    """What the reference, the core and the firmware read; see docs/file-formats.md for the fields.

    `elements` counts the trainable parameters.
    """

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
    def momentum_elements(self) -> int:
        """Elements of the s16 momentum buffer; 0 without momentum."""
        return self.elements if self.momentum else 0

    def to_bytes(self) -> bytes:
        """The plan as a `.sft` file."""
        entries: list[tuple[int, ...]] = []
        scalers: list[tuple[int, ...]] = []
        for t in self.trainable:
            entries.append((t.tensor, len(scalers), len(t.perturb_mult), t.first_element))
            scalers += zip(t.perturb_mult, t.perturb_shift, t.update_mult, t.update_shift, strict=True)
        fields = (
            *(
                self.seed & 0xFFFFFFFF,
                self.seed >> 32,
                self.directions,
                DISTRIBUTIONS.index(self.distribution),
            ),
            *(PERTURBATIONS.index(self.perturbation), ROUNDINGS.index(self.rounding)),
            *(self.momentum, self.momentum_bits, SCHEDULES.index(self.schedule), self.steps, self.warmup),
            *(len(entries), len(scalers), self.first_op, *self.z_rescale),
            int(self.share_batch),
        )
        rows = [value for row in [*entries, *scalers] for value in row]
        body = struct.pack(f"<{len(fields) + len(rows)}I", *fields, *rows)
        return struct.pack("<4s3I", b"SFT1", 2, 16 + len(body), zlib.crc32(body)) + body


def plan_training(program: Program, trainable: Sequence[int], settings: Settings) -> TrainingPlan:
    """Reduce settings to integers.

    Args:
        program: the program to train.
        trainable: parameter indices that move, in any order.
        settings: real-valued settings.

    Raises:
        StepforwardError: nothing is trainable, or a number does not fit the arithmetic.
    """
    chosen = sorted(set(trainable))
    if not chosen:
        raise StepforwardError(
            "no tensor is trainable", "choose --train all, head, last:k, bias or a name pattern"
        )
    bits = _momentum_bits(settings)
    entries, element = [], 0
    for index in chosen:
        entries.append(_trainable(program, index, element, settings, bits))
        element += program.tensors[index].elements
    return TrainingPlan(
        seed=settings.seed,
        directions=settings.directions,
        distribution=settings.distribution,
        perturbation=settings.perturbation,
        rounding=settings.rounding,
        momentum=round(settings.momentum * 32768),
        momentum_bits=bits,
        schedule=settings.schedule,
        steps=settings.steps,
        warmup=settings.warmup,
        first_op=next(i for i, op in enumerate(program.ops) if set(op.parameters) & set(chosen)),
        z_rescale=quantize_multiplier(DELTA_Z),
        trainable=tuple(entries),
        elements=element,
        share_batch=settings.share_batch,
    )


def _momentum_bits(settings: Settings) -> int:
    if not settings.momentum:
        return 0
    bits = 0
    while 127 * settings.directions * 2 ** (bits + 1) <= 32767 * (1 - settings.momentum):
        bits += 1
    return bits


def _trainable(program: Program, index: int, element: int, settings: Settings, bits: int) -> Trainable:
    tensor = program.tensors[index]
    share = settings.directions * 2**bits
    epsilon, lr = _most(tensor, settings, share)
    if settings.epsilon > epsilon:
        raise _too_large("epsilon", "--epsilon", settings.epsilon, tensor)
    if settings.lr > lr:
        raise _too_large("learning rate", "--lr", settings.lr, tensor)
    updates = [quantize_multiplier(settings.lr * DELTA_Z / (scale * share)) for scale in tensor.scale]
    if settings.perturbation == "paper":
        probes = [(round(settings.epsilon / scale), 0) for scale in tensor.scale]
    else:
        probes = [quantize_multiplier(settings.epsilon * DELTA_Z / scale) for scale in tensor.scale]
    return Trainable(
        tensor=index,
        first_element=element,
        perturb_mult=tuple(mult for mult, _ in probes),
        perturb_shift=tuple(shift for _, shift in probes),
        update_mult=tuple(mult for mult, _ in updates),
        update_shift=tuple(shift for _, shift in updates),
    )


def _most(tensor: Tensor, settings: Settings, share: int) -> tuple[float, float]:
    """The largest epsilon and learning rate whose multipliers fit: below 2^16, or 2^24 in the paper's perturbation."""
    finest = min(tensor.scale)
    ratio = 65535.4 / DELTA_Z  # a hair more would round up to 2^16
    probes = 2**24 - 0.6 if settings.perturbation == "paper" else ratio
    return finest * probes, finest * share * ratio


def _too_large(name: str, option: str, value: float, tensor: Tensor) -> StepforwardError:
    # 3 % of what the integers of its finest row can hold: the proportion that works for ordinary weights
    fitting = 0.03 * min(tensor.scale) * (32767 if tensor.dtype == "s32" else tensor.q_max)
    return StepforwardError(
        f"{name} {value:g} is too large for {tensor.name}, which moves in steps of {min(tensor.scale):.2g}",
        f"use {option} {fitting:.1g} or near it, or keep this tensor out of --train",
    )


def fitting(program: Program, trainable: Sequence[int], settings: Settings) -> Settings:
    """The settings with epsilon and learning rate lowered to the largest that these tensors take."""
    share = settings.directions * 2 ** _momentum_bits(settings)
    most = [_most(program.tensors[index], settings, share) for index in trainable]
    epsilon, lr = (min(values) for values in zip((settings.epsilon, settings.lr), *most, strict=True))
    return replace(settings, epsilon=epsilon, lr=lr)


def quanta(program: Program, plan: TrainingPlan) -> dict[str, tuple[float, float]]:
    """How many quanta of each trainable tensor a probe and a step move at z = 1, by name: below 0.5 nothing moves."""
    result: dict[str, tuple[float, float]] = {}
    for entry in plan.trainable:
        if plan.perturbation == "paper":
            probe: float = max(entry.perturb_mult)
        else:
            pairs = zip(entry.perturb_mult, entry.perturb_shift, strict=True)
            probe = max(mult / 2**shift for mult, shift in pairs) / DELTA_Z
        pairs = zip(entry.update_mult, entry.update_shift, strict=True)
        step = max(mult / 2**shift for mult, shift in pairs) / DELTA_Z * 2**plan.momentum_bits
        result[program.tensors[entry.tensor].name] = (probe, step)
    return result
