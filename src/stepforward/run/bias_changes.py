"""What each number of a bias, moved alone, does to the logits of samples: the Jacobian by differences."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.engines.before import Onward
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Snapshot, logits_of
from stepforward.memory import multiply_accumulates
from stepforward.plan.sizes import quantum
from stepforward.program.cut import last_joint
from stepforward.program.model import Program
from stepforward.program.weights import pack_all, unpack

EPSILON = 1 / 4
"""How far a number is tried, in sizes of its bias: two quanta of an output of 8 bits. Farther, units that a sample does
not reach would answer for those that it does; nearer, rounding would."""


class Place(NamedTuple):
    """A bias that moves.

    Attributes:
        tensor: its number.
        start: the operator from which samples with it moved have to run again.
        tried: how far each of its numbers is tried.
        cost: passes that this takes for one sample and number, as a share of a whole pass.
    """

    tensor: int
    start: int
    tried: Int
    cost: float


def places(program: Program, moving: Collection[int]) -> list[Place]:
    """The biases that move, in the order of the operators that add them."""
    work = [multiply_accumulates(program, op) for op in program.ops]
    found: dict[int, Place] = {}
    for at, op in enumerate(program.ops):
        for index in op.parameters:
            tensor = program.tensors[index]
            if index not in moving or index in found or tensor.dtype != "s32":
                continue
            own = np.broadcast_to(quantum(program, index, "relative"), tensor.elements)
            tried = np.maximum(1, np.rint(EPSILON / own)).astype(np.int64)
            start = last_joint(program, at)
            found[index] = Place(index, start, tried, sum(work[start:]) / max(sum(work), 1))
    return list(found.values())


def changes(
    program: Program,
    moving: Sequence[Place],
    x: NDArray[np.integer],
    plain: NDArray[np.int32],
    threads: int | None,
) -> Iterator[NDArray[np.int32]]:
    """Of each place in turn, shape (numbers, n, classes).

    Every other sample tries a number downwards: where a unit begins to answer, one side says too much of it and the
    other too little.

    Args:
        program: with the weights as they are; `moving` its places, in order.
        x: samples in the input format, shape (n, ...).
        plain: their logits, shape (n, classes).
        threads: of the C core. Changes nothing.
    """
    onward = Onward(x, threads)
    for place in moving:
        rest, x = onward.to(program, place.start)
        halves = [(sign, first, np.ascontiguousarray(x[first::2])) for first, sign in enumerate((1, -1))]
        engine = CoreEngine(rest, threads=threads)
        bias = unpack(program.tensors[place.tensor], program.weights)
        found = np.empty((len(bias), *plain.shape), np.int32)
        for number, far in enumerate(place.tried):
            for sign, first, half in halves:
                moved = bias.copy()
                moved[number] += sign * far
                engine.restore(Snapshot(pack_all(rest, {place.tensor: moved})))
                found[number, first::2] = sign * (logits_of(engine, half) - plain[first::2])
        yield found
