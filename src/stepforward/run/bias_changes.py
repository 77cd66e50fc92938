"""What each number of a bias, moved alone, does to the logits of samples: the Jacobian, carried forward where operators
allow it (`program.tangents`), or by differences."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.linearized import FRACTION
from stepforward.engines.before import Onward, run_before
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Snapshot, logits_of
from stepforward.memory import multiply_accumulates
from stepforward.plan.sizes import quantum
from stepforward.program.cut import after, joint, last_joint
from stepforward.program.model import Program
from stepforward.program.tangent_program import SEED, finer_at_end, largest_at, size_at
from stepforward.program.tangents import COPIES, has_channels, has_tangents, tangents
from stepforward.program.weights import pack_all, unpack

EPSILON = 1 / 4
"""How far differences try a number, in sizes of its bias: two quanta of an output of 8 bits. Farther, units that a
sample does not reach would answer for those that it does; nearer, rounding would."""

FARTHEST = 32
"""No bias moves more than so many times as far as differences try it: a quarter of the largest output."""


class Place(NamedTuple):
    """A bias that moves.

    Attributes:
        tensor: its number.
        at: the operator that adds it.
        start: the operator from which samples with it moved have to run again.
        carried: whether changes are carried forward; else they are differences.
        tried: the change of each of its numbers that `changes` speaks of.
        farthest: how many of these a number may move, with `FRACTION` fraction bits.
        cost: passes that this takes for one sample and number, as a share of a whole pass.
    """

    tensor: int
    at: int
    start: int
    carried: bool
    tried: Int
    farthest: int
    cost: float


def places(program: Program, moving: Collection[int]) -> list[Place]:
    """The biases that move, in the order of the operators that add them.

    Changes are carried forward if all can be, but those of the output itself, of which differences are exact: where
    only the last layers' could, differences of all did better on the tasks that chose.
    """
    at: dict[int, int] = {}
    for position, op in enumerate(program.ops):
        if op.bias in moving:
            at.setdefault(op.bias, position)
    inner = [position for position in at.values() if program.ops[position].output != program.output]
    carried = all(has_tangents(program, position) for position in inner)
    work = [multiply_accumulates(program, op) for op in program.ops]
    return [
        (_carried_place if carried and position in inner else _tried_place)(program, tensor, position, work)
        for tensor, position in at.items()
    ]


def _carried_place(program: Program, tensor: int, at: int, work: Sequence[int]) -> Place:
    start, finer, size = last_joint(program, at), finer_at_end(program), size_at(program, at)
    step = size * finer * program.tensors[program.ops[at].output].scale[0]
    cost = (sum(work[at + 1 :]) + sum(work[start:]) / COPIES) / sum(work)
    farthest = (largest_at(program, at) << FRACTION) // (4 * size * finer)
    tried = _whole(program, tensor, step / np.array(program.tensors[tensor].scale))
    return Place(tensor, at, start, True, tried, farthest, cost)


def _tried_place(program: Program, tensor: int, at: int, work: Sequence[int]) -> Place:
    start = last_joint(program, at)
    tried = _whole(program, tensor, EPSILON / np.array(quantum(program, tensor, "relative")))
    cost = sum(work[start:]) / sum(work)
    if _is_apart(program, at):
        cost = (sum(work[at + 1 :]) + 2 * sum(work[start : at + 1]) / len(tried)) / sum(work)
    return Place(tensor, at, start, False, tried, FARTHEST << FRACTION, cost)


def _is_apart(program: Program, at: int) -> bool:
    """Whether numbers of a bias have channels for themselves, and nothing after their operator reads more than its
    output: then an output whose numbers all moved has what each does by itself."""
    return has_channels(program, at) and joint(program, at + 1) == program.ops[at].output


def _whole(program: Program, tensor: int, steps: NDArray[np.floating]) -> Int:
    """So many steps of each number of a bias, whole ones, at least one."""
    whole = np.maximum(1, np.rint(steps)).astype(np.int64)
    return np.broadcast_to(whole, program.tensors[tensor].elements)


def changes(
    program: Program,
    moving: Sequence[Place],
    x: NDArray[np.integer],
    plain: NDArray[np.int32],
    threads: int | None,
) -> Iterator[NDArray[np.int32]]:
    """Of each place in turn, shape (numbers, n, classes).

    Args:
        program: with the weights as they are; `moving` its places, in order.
        x: samples in the input format, shape (n, ...).
        plain: their logits, shape (n, classes).
        threads: of the C core. Changes nothing.
    """
    onward = Onward(x, threads)
    for place in moving:
        rest, x = onward.to(program, place.start)
        if place.carried:
            yield _carried(rest, place, x, plain.shape[1], threads)
        else:
            yield _differences(rest, place, x, plain, threads)


def _carried(
    rest: Program, place: Place, x: NDArray[np.integer], classes: int, threads: int | None
) -> NDArray[np.int32]:
    """Changes of logits that are carried forward, `COPIES` numbers at a time."""
    made = tangents(rest, place.at - place.start)
    engine, count = CoreEngine(made.program, threads=threads), len(place.tried)
    found = np.empty((count, len(x), classes), np.int32)
    for first in range(0, count, COPIES):
        ones = SEED * np.eye(COPIES, count, first, dtype=np.int64)
        engine.restore(Snapshot(pack_all(made.program, dict(zip(made.seeds, ones, strict=True)))))
        some = found[first : first + COPIES]
        some[:] = logits_of(engine, x).reshape(len(x), COPIES, classes)[:, : len(some)].swapaxes(0, 1)
    return found


def _differences(
    rest: Program, place: Place, x: NDArray[np.integer], plain: NDArray[np.int32], threads: int | None
) -> NDArray[np.int32]:
    """What moved numbers do. Every other sample tries a number downwards: where a unit begins to answer, one side says
    too much of it and the other too little."""
    halves = [(sign, slice(first, None, 2)) for first, sign in enumerate((1, -1))]
    at, bias = place.at - place.start, unpack(rest.tensors[place.tensor], rest.weights)
    found = np.empty((len(bias), *plain.shape), np.int32)

    def moved(by: Int) -> bytes:
        return pack_all(rest, {place.tensor: bias + by})

    if _is_apart(rest, at):
        (still,) = run_before(rest, at + 1, [x], threads)
        all_moved = still.copy()
        for sign, rows in halves:
            other = replace(rest, weights=moved(sign * place.tried))
            (all_moved[rows],) = run_before(other, at + 1, [x[rows]], threads)
        engine = CoreEngine(after(rest, at + 1), threads=threads)
        for number in range(len(bias)):
            one = still.copy()
            one[..., number] = all_moved[..., number]
            found[number] = logits_of(engine, one) - plain
    else:
        engine = CoreEngine(rest, threads=threads)
        for number, far in enumerate(place.tried):
            for sign, rows in halves:
                engine.restore(Snapshot(moved(sign * far * (np.arange(len(bias)) == number))))
                found[number, rows] = logits_of(engine, x[rows]) - plain[rows]
    for sign, rows in halves:
        found[:, rows] *= sign
    return found
