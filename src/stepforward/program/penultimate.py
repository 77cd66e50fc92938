"""The layer before the last of a program: whether its errors come straight through the last one."""

from typing import Any, NamedTuple

import numpy as np

from stepforward.arithmetic.fixedpoint import Int
from stepforward.program.last_layer import not_linear
from stepforward.program.model import Program

MOST_INPUTS, MOST_CLASSES, MOST_WEIGHTS = 1024, 1024, 2**22
"""Of the last layer, and of the one before it: what buffers and sums of 32 bits hold."""


class Penultimate(NamedTuple):
    """A layer whose outputs, averaged over all positions if there are several, are the inputs of the last one.

    Attributes:
        op: its operator.
        positions: of its outputs.
        channels: at each.
    """

    op: int
    positions: int
    channels: int


def penultimate(program: Program) -> Penultimate | None:
    """The layer before the last: fully connected, or a convolution of one group whose output is a single position or is
    averaged over all of them; nothing else lies between the two. None where the program has no such layer.
    """
    last = len(program.ops) - 1
    if not_linear(program) is not None:
        return None
    at = last - 1
    while at >= 0 and program.ops[at].kind in ("reshape", "transpose", "average_pool"):
        at -= 1
    if at < 0 or program.ops[at].kind not in ("fully_connected", "conv"):
        return None
    op, tensors = program.ops[at], program.tensors
    out, weight, inputs = (
        tensors[op.output],
        tensors[op.weight],
        tensors[program.ops[last].inputs[0]].elements,
    )
    channels = weight.shape[0]
    positions = out.elements // channels
    groups = getattr(op.what, "groups", 1)
    if groups != 1 or inputs != channels or out.dtype != "s8" or tensors[op.inputs[0]].dtype != "s8":
        return None
    if (
        inputs > MOST_INPUTS
        or tensors[program.output].elements > MOST_CLASSES
        or weight.elements > MOST_WEIGHTS
    ):
        return None
    if any(set(op.parameters) & set(other.parameters) for i, other in enumerate(program.ops) if i != at):
        return None
    found = Penultimate(at, positions, channels)
    return found if _goes_through(program, found) else None


def kept(program: Program, op: int) -> tuple[int, ...]:
    """The activations that an exact gradient of the operator reads when the losses are known."""
    return program.ops[op].inputs[0], program.ops[op].output


def patches(program: Program, op: int, x: Int) -> Int:
    """What a layer's weights are multiplied with at each position, in the order in which a row of them lies.

    Args:
        op: its operator.
        x: its input, shape (n, *input.shape).

    Returns:
        Without the zero point, shape (n, positions, row).
    """
    own, n = program.ops[op], len(x)
    values = x - program.tensors[own.inputs[0]].zero_point
    if own.kind == "fully_connected":
        return values.reshape(n, 1, -1)
    taps = [tap for _, tap in own.what.taps(values, program.tensors[own.output], 0)]  # type: ignore[attr-defined]
    return np.stack(taps, axis=3).reshape(n, taps[0].shape[1] * taps[0].shape[2], -1)


def _goes_through(program: Program, found: Penultimate) -> bool:
    """Whether each operator between reads the one before it, and channels stay in their order."""
    at, alive = found.positions, program.ops[found.op].output
    for op in program.ops[found.op + 1 : -1]:
        if op.inputs != (alive,):
            return False
        if op.kind == "average_pool":
            if not _covers(op.what, program.tensors[alive].shape[:2]):
                return False
            at = 1
        elif at != 1:
            return False
        alive = op.output
    readers = [i for i, op in enumerate(program.ops) if program.ops[found.op].output in op.inputs]
    return at == 1 and program.ops[-1].inputs[0] == alive and readers == [found.op + 1]


def _covers(window: Any, size: tuple[int, ...]) -> bool:
    """Whether a window sees a whole image at once, each position once."""
    return window.kernel == size and not any(window.padding) and window.dilation == (1, 1)
