"""The last layer, and the one before it, by their exact gradients, reduced to integers (contract, section 10)."""

from collections.abc import Collection

import numpy as np

from stepforward.arithmetic import penultimate as before_last
from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.tail import BIAS_BITS, MOST_BITS, most_rows
from stepforward.errors import StepforwardError
from stepforward.plan.model import Penultimate, Tail, Trainable
from stepforward.plan.sizes import quantum
from stepforward.program.last_layer import not_linear
from stepforward.program.model import Program
from stepforward.program.penultimate import Penultimate as Place
from stepforward.program.penultimate import penultimate
from stepforward.program.weights import unpack
from stepforward.settings import Settings

BIAS_SHARE = 1 / 4
"""Rate of the bias, next to the weight's: its input is one, and shares the stability of a step with all others. The
definition counts on it: a bias takes back four times what the weights' gradients add to the mean input's logit."""

_VOTES = "leave --tail at votes"


def plan_tail(program: Program, chosen: Collection[int], settings: Settings) -> Tail | None:
    """The tail of a plan, None where votes move the last layer.

    Args:
        program: the program to train.
        chosen: parameter indices that move.
        settings: real-valued settings.

    Raises:
        StepforwardError: the last operator is not a linear layer on its own, it does not move, or the settings leave
            no room for it.
    """
    if settings.tail == "votes":
        return None
    fault = not_linear(program)
    if fault is not None:
        raise StepforwardError(f"--tail exact needs a linear layer at the end: {fault}", _VOTES)
    op = len(program.ops) - 1
    moving = [index for index in program.ops[op].parameters if index in chosen]
    if not moving:
        raise StepforwardError(
            f"--tail exact moves {program.ops[op].name}, which is not among the tensors of --train {settings.train}",
            f"use --train head or all, or {_VOTES}",
        )
    if settings.perturbation == "paper":
        raise StepforwardError(
            "--tail exact keeps the last layer out of the probes, and the paper's perturbation shrinks all weights",
            f"use --perturbation exact, or {_VOTES}",
        )
    if settings.accumulate > 1:
        raise StepforwardError(
            "--tail exact moves the last layer at every step, and so many steps move the weights together with "
            f"--low-bits {settings.low_bits}",
            f"use another --low-bits, or {_VOTES}",
        )
    lost = next((t for t in (program.tensors[index] for index in moving) if t.q_max <= 127), None)
    if lost is not None and settings.low_bits == "direct":
        raise StepforwardError(
            f"--tail exact: {lost.name} has weights of {lost.dtype[1:]} bits, which lose every move below half a "
            "quantum with --low-bits direct",
            f"use --low-bits auto, or {_VOTES}",
        )
    moves_weight = program.ops[op].weight in moving
    inputs = program.tensors[program.ops[op].inputs[0]].elements if moves_weight else 0
    found = _second(program, chosen, settings) if moves_weight else None
    if found is not None:
        own = [index for index in program.ops[found.op].parameters if index in chosen]
        rows = _rows(settings, voted=len(moving) + len(own) < len(chosen))
        bits, left = _most_bits(rows), _bits_left(found, rows)
        if left is not None:
            largest = int(np.abs(unpack(program.tensors[program.ops[op].weight], program.weights)).max())
            shift = max(bits + largest.bit_length() - left, 0)
            return Tail(op, len(moving), bits, inputs, Penultimate(found.op, len(own), left, shift))
    return Tail(op, len(moving), _most_bits(_rows(settings, voted=len(moving) < len(chosen))), inputs)


def _second(program: Program, chosen: Collection[int], settings: Settings) -> Place | None:
    """The layer before the last, where its exact gradient may move it: None where it is to stay with votes, where its
    weights stay, or where they lose small moves."""
    found = penultimate(program) if settings.tail_layers > 1 else None
    if found is None or program.ops[found.op].weight not in chosen:
        return None
    weight = program.tensors[program.ops[found.op].weight]
    return None if weight.q_max <= 127 and settings.low_bits == "direct" else found


def _most_bits(rows: int) -> int:
    """Fraction bits of an error, as many as the sums of so many samples leave.

    Raises:
        StepforwardError: the sums have no room for so many samples.
    """
    for bits in range(MOST_BITS, -1, -1):
        if most_rows(bits) >= rows:
            return bits
    raise StepforwardError(
        f"--tail exact cannot add up {rows} samples of one step in 32 bits", "use a smaller --batch"
    )


def _bits_left(found: Place, rows: int) -> int | None:
    """Bits of an error at the outputs of the layer before the last, None where the sums leave too few."""
    bits = range(before_last.MOST_BITS, before_last.FEWEST_BITS - 1, -1)
    return next((b for b in bits if before_last.most_rows(b, found.positions) >= rows), None)


def most_rows_of(program: Program, tail: Tail) -> int:
    """Samples that one step of a tail gathers at most."""
    most = most_rows(tail.bits)
    if tail.before is None:
        return most
    op = program.ops[tail.before.op]
    positions = program.tensors[op.output].elements // program.tensors[op.weight].shape[0]
    return min(most, before_last.most_rows(tail.before.bits, positions))


def tail_trainable(
    program: Program, tail: Tail, index: int, element: int, settings: Settings, below: int
) -> Trainable:
    """The entry of one of the tail's tensors: how far it moves for its gradient; no probe moves it.

    Args:
        program: the program to train.
        tail: of its plan.
        index: the tensor.
        element: trainable elements before it.
        settings: real-valued settings.
        below: fraction bits of the tensor.

    Raises:
        StepforwardError: the rate does not fit the arithmetic.
    """
    op, tensor = program.ops[tail.op], program.tensors[index]
    if index not in op.parameters:
        return _before_trainable(program, tail, index, element, settings, below)
    scale_x, scale_w = program.tensors[op.inputs[0]].scale[0], program.tensors[op.weight].scale
    share = BIAS_SHARE if index == op.bias else 1.0
    bits = 15 + tail.bits - (BIAS_BITS if index == op.bias else 0)
    rate = share * settings.tail_rate * settings.temperature * 2**below / 2**bits
    if rate > 65535.4 * scale_x * min(scale_w):
        raise StepforwardError(
            f"tail rate {settings.tail_rate:g} is too large for {tensor.name}, which moves in steps of "
            f"{min(tensor.scale):.2g}",
            "use a smaller --tail-rate",
        )
    pairs = [quantize_multiplier(rate / (scale_x * scale)) for scale in scale_w]
    nothing = (0,) * len(pairs)
    mults, shifts = zip(*pairs, strict=True)
    return Trainable(index, element, nothing, nothing, mults, shifts, below)


def _before_trainable(
    program: Program, tail: Tail, index: int, element: int, settings: Settings, below: int
) -> Trainable:
    """The same of the layer before the last, whose weights move by shares of their root mean square."""
    assert tail.before is not None
    op = program.ops[tail.before.op]
    share = before_last.SHARE * settings.tail_rate * 2**below / 2**15
    if index == op.bias:
        share *= before_last.CONSTANT_INPUT**2
    pairs = [quantize_multiplier(share / step) for step in quantum(program, op.weight, "relative")]
    nothing = (0,) * len(pairs)
    mults, shifts = zip(*pairs, strict=True)
    return Trainable(index, element, nothing, nothing, mults, shifts, below)


def _rows(settings: Settings, voted: bool) -> int:
    """Samples that one step adds up: each side of every direction runs its own, and one pass where nothing votes.
    Curved votes run all of them as they are and along each direction."""
    if not voted:
        return settings.batch
    if settings.votes == "curved":
        return (1 + settings.directions) * settings.batch
    each = (
        max(settings.batch, settings.directions)
        if settings.share_batch
        else settings.batch * settings.directions
    )
    return 2 * each
