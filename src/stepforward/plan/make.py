"""Real-valued settings reduced to integers for one program."""

import math
from collections.abc import Sequence
from dataclasses import replace

from stepforward.arithmetic.adam import ONE as ONE_DEVIATION
from stepforward.arithmetic.curvature import ONE as WHOLE
from stepforward.arithmetic.curvature import of_a_step
from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.loss import loss_rescale
from stepforward.arithmetic.tables import DELTA_Z
from stepforward.arithmetic.votes import MOST, ONE
from stepforward.errors import StepforwardError
from stepforward.plan.masks import plan_masks
from stepforward.plan.model import Curve, Objective, Trainable, TrainingPlan
from stepforward.plan.sizes import quantum
from stepforward.plan.tail import plan_tail, tail_trainable
from stepforward.program.arena import plan_arena
from stepforward.program.master import no_room, with_master_weights
from stepforward.program.model import Program, Tensor
from stepforward.program.penultimate import kept
from stepforward.settings import Settings

ROOM = 2
"""Powers of two that low-bit weights of the last layer may grow by: four times their range, as those of 16 bits."""

DECAY = 7
"""Of Adam's mean squares: they remember about 128 steps."""


def plan_training(program: Program, trainable: Sequence[int], settings: Settings) -> TrainingPlan:
    """Reduce settings to integers.

    Args:
        program: the program to train.
        trainable: parameter indices that move, in any order.
        settings: real-valued settings; what a search would find has a fixed value where there was none.

    Raises:
        StepforwardError: nothing is trainable, a tensor is frozen, or a number does not fit the arithmetic.
    """
    settings, chosen = with_forms(program, trainable, settings).searched(), sorted(set(trainable))
    if not chosen:
        raise StepforwardError(
            "no tensor is trainable", "choose --train all, head, last:k, bias or a name pattern"
        )
    frozen = next((program.tensors[index].name for index in chosen if program.tensors[index].frozen), None)
    if frozen is not None:
        raise StepforwardError(f"{frozen} is frozen: it must not move", "keep this tensor out of --train")
    if settings.low_bits != "direct" and not settings.master:
        _check_low_bits(program, chosen, settings)
    bits, tail = _momentum_bits(settings), plan_tail(program, chosen, settings)
    exact = chosen[len(chosen) - tail.tensors :] if tail else []
    if settings.votes == "curved" and len(exact) == len(chosen):
        raise StepforwardError(
            f"votes = 'curved', but --train {settings.train} moves by exact gradients alone and nothing votes",
            "leave --votes out, or use --tail votes",
        )
    masks = plan_masks(program, [index for index in chosen if index not in exact], settings)
    entries, element = [], 0
    for index in chosen:
        if tail and index in exact:
            below = _fraction_bits(program.tensors[index], settings)
            entries.append(tail_trainable(program, tail, index, element, settings, below))
        else:
            entry = _trainable(program, index, element, settings, bits)
            entries.append(replace(entry, mask=masks.get(index)))
        element += program.tensors[index].elements
    return TrainingPlan(
        objective=_objective(program, settings.temperature),
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
        share_batch=settings.share_batch and settings.votes != "curved",
        accumulate=settings.accumulate,
        tail=tail,
        votes=settings.votes,
        curve=_curve(program, settings) if settings.votes == "curved" else None,
        guide=_guide(settings),
        sharpness=settings.sharpness,
        decay=DECAY if settings.optimizer == "adam" else 0,
    )


def for_training(
    program: Program, trainable: Sequence[int], settings: Settings
) -> tuple[Program, TrainingPlan]:
    """A plan, and the program with an arena that keeps the activations which the first trainable operator reads: what
    an engine or a firmware trains with. With 16-bit master weights it is another program than what is deployed, which
    `program.master.rounded` makes of it again. The arguments and errors are those of `plan_training`.
    """
    settings = with_forms(program, trainable, settings)
    if settings.master:
        _check_low_bits(program, trainable, settings)
        program = with_master_weights(program, trainable, settings.room)
    plan = plan_training(program, trainable, settings)
    return training_arena(program, plan), plan


def training_arena(program: Program, plan: TrainingPlan) -> Program:
    """The program with an arena for a plan: what its steps read again stays where it is."""
    before = plan.tail.before if plan.tail else None
    return plan_arena(program, plan.first_op, kept(program, before.op) if before else ())


def with_forms(program: Program, trainable: Sequence[int], settings: Settings) -> Settings:
    """The settings with what stands for `auto`, by what moves: the form of low-bit weights, and of the last layer."""
    low = any(_has_low_bits(program.tensors[index]) for index in trainable)
    if settings.low_bits == "auto":
        master = "master" if no_room(program, trainable) else f"master-{ROOM}"
        settings = replace(settings, low_bits=master if low else "direct")
    if settings.tail == "auto":
        settings = replace(
            settings, tail="exact" if _takes_exact_tail(program, trainable, settings) else "votes"
        )
    return settings


def _takes_exact_tail(program: Program, trainable: Sequence[int], settings: Settings) -> bool:
    """Whether an exact tail can be planned that moves more than a bias."""
    exact = fitting(program, trainable, replace(settings, tail="exact"))
    try:
        plan = for_training(program, trainable, exact)[1]
    except StepforwardError:
        return False
    return program.ops[-1].weight in [entry.tensor for entry in plan.trainable]


def _objective(program: Program, temperature: float) -> Objective:
    """The cross-entropy of the logits divided by a temperature. They stay as they are; so does the program."""
    try:
        pair = loss_rescale(program.tensors[program.output].scale[0], temperature)
    except ValueError as error:
        raise StepforwardError(
            f"temperature {temperature:g} is too small for the scale of the logits: {error}",
            "use a larger one",
        ) from error
    return Objective("cross_entropy", *pair)


def _momentum_bits(settings: Settings) -> int:
    if not settings.momentum:
        return 0
    bits, most = 0, MOST if settings.votes == "graded" else 1
    while 127 * most * settings.directions * 2 ** (bits + 1) <= 32767 * (1 - settings.momentum):
        bits += 1
    return bits


def _guide(settings: Settings) -> tuple[int, int] | None:
    """Shares of what guides a direction and of what is drawn, in Q15; the sum of their squares is one."""
    share = settings.guide
    return (round(share * 32768), round(math.sqrt(1 - share * share) * 32768)) if share else None


def _curve(program: Program, settings: Settings) -> Curve:
    """What curved votes need of a program: a step of its logits, in shares of epsilon."""
    output = program.tensors[program.output]
    return Curve(*of_a_step(output.scale[0], settings.temperature), output.elements)


def _share(settings: Settings, bits: int) -> float:
    """What the sum of votes times z is divided by: directions, fractions of momentum, levels of a vote. Adam's moves
    are in units of a deviation, and sum up over the steps that momentum remembers.
    """
    if settings.optimizer == "adam":
        return ONE_DEVIATION * DELTA_Z / (1 - settings.momentum)
    if settings.votes == "curved":
        return WHOLE
    return settings.directions * 2**bits * (ONE if settings.votes == "graded" else 1)


def _fraction_bits(tensor: Tensor, settings: Settings) -> int:
    return settings.fraction_bits if _has_low_bits(tensor) else 0


def _check_low_bits(program: Program, trainable: Sequence[int], settings: Settings) -> None:
    if not any(_has_low_bits(program.tensors[index]) for index in trainable):
        raise StepforwardError(
            f"low_bits = {settings.low_bits!r}, but no weight that moves has 8 or 4 bits",
            "leave low_bits out, or train weights of a network with --bits 8w8a or 4w8a",
        )
    fault = no_room(program, trainable) if settings.room else None
    if fault is not None:
        raise StepforwardError(
            f"low_bits = {settings.low_bits!r} lets the last layer grow: {fault}",
            "use --low-bits auto, or master",
        )


def _has_low_bits(tensor: Tensor) -> bool:
    return tensor.dtype in ("s8", "s4")


def _grid(program: Program, index: int, settings: Settings) -> tuple[float, ...]:
    """Steps of the numbers that learn: of the weights, or of what fraction bits make of them."""
    bits = _fraction_bits(program.tensors[index], settings)
    return tuple(step / 2**bits for step in quantum(program, index, settings.sizes, settings.bias_factors))


def _trainable(program: Program, index: int, element: int, settings: Settings, bits: int) -> Trainable:
    tensor = program.tensors[index]
    share = _share(settings, bits)
    grid = _grid(program, index, settings)
    epsilon, lr = _most(grid, settings, share)
    if settings.epsilon > epsilon:
        raise _too_large("epsilon", "--epsilon", settings.epsilon, epsilon, tensor, settings.sizes)
    if settings.lr > lr:
        raise _too_large("learning rate", "--lr", settings.lr, lr, tensor, settings.sizes)
    updates = [quantize_multiplier(settings.lr * DELTA_Z / (step * share)) for step in grid]
    if settings.perturbation == "paper":
        probes = [(round(settings.epsilon / step), 0) for step in grid]
    else:
        probes = [quantize_multiplier(settings.epsilon * DELTA_Z / step) for step in grid]
    return Trainable(
        tensor=index,
        first_element=element,
        perturb_mult=tuple(mult for mult, _ in probes),
        perturb_shift=tuple(shift for _, shift in probes),
        update_mult=tuple(mult for mult, _ in updates),
        update_shift=tuple(shift for _, shift in updates),
        fraction_bits=_fraction_bits(tensor, settings),
    )


def _most(grid: Sequence[float], settings: Settings, share: float) -> tuple[float, float]:
    """The largest epsilon and learning rate whose multipliers fit: below 2^16, or 2^24 in the paper's perturbation."""
    finest = min(grid)
    ratio = 65535.4 / DELTA_Z  # a hair more would round up to 2^16
    probes = 2**24 - 0.6 if settings.perturbation == "paper" else ratio
    return finest * probes, finest * share * ratio


def _too_large(
    name: str, option: str, value: float, most: float, tensor: Tensor, sizes: str
) -> StepforwardError:
    finest = min(tensor.scale)
    if sizes != "absolute":
        what, fitting = f"in shares of its size, {most:.2g} at most", min(0.03, most / 2)
    else:  # 3 % of what the integers of its finest row can hold: the proportion that works for ordinary weights
        what = f"which moves in steps of {finest:.2g}"
        fitting = 0.03 * finest * (32767 if tensor.dtype == "s32" else tensor.q_max)
    return StepforwardError(
        f"{name} {value:g} is too large for {tensor.name}, {what}",
        f"use {option} {fitting:.1g} or near it, or keep this tensor out of --train",
    )


def fitting(program: Program, trainable: Sequence[int], settings: Settings) -> Settings:
    """The settings with epsilon and learning rate lowered to the largest that these tensors take."""
    settings = settings.searched()
    share = _share(settings, _momentum_bits(settings))
    most = [_most(_grid(program, index, settings), settings, share) for index in trainable]
    epsilon, lr = (min(values) for values in zip((settings.epsilon, settings.lr), *most, strict=True))
    return replace(settings, epsilon=epsilon, lr=lr)
