"""Perturbed weights and the sign-m-SPSA-SGD step (contract, sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.adam import divided, squares_after
from stepforward.arithmetic.directions import STOCHASTIC_ROUNDING, direction, half_words
from stepforward.arithmetic.fixedpoint import Int, clamp, multiply, shift_right
from stepforward.arithmetic.guide import after, guided
from stepforward.arithmetic.tables import ONE_Z, cos_table

if TYPE_CHECKING:  # the definition stands below the program and imports nothing of it
    from stepforward.program.model import Tensor


class Shape(NamedTuple):
    """What a plan makes of the directions of one tensor.

    Attributes:
        kept: the elements that a mask lets move (`arithmetic.masks.kept`); None: all.
        guide: where earlier steps went, s8 of each element; an update moves it in place. None: directions are as drawn.
    """

    kept: NDArray[np.bool_] | None = None
    guide: Int | None = None


AS_DRAWN = Shape()


def channels(tensor: Tensor) -> NDArray[np.int64]:
    """Index into the tensor's scales for each element, in stored order."""
    element = np.arange(tensor.elements)
    if tensor.channel_rule == "divide":
        return element // tensor.channel_divisor
    if tensor.channel_rule == "modulo":
        return element % tensor.channel_divisor
    return np.zeros_like(element)


def per_element(tensor: Tensor, values: Sequence[int]) -> NDArray[np.int64]:
    """One value, or that of its channel, for each element."""
    array = np.array(values, dtype=np.int64)
    return array[channels(tensor)] if len(array) > 1 else array[[0] * tensor.elements]


def _z(plan, entry, tensor: Tensor, shape: Shape, step: int, index: int) -> Int:
    """One direction of a tensor: guided after the first step, and 0 where a mask leaves an element alone."""
    z = direction(plan.distribution, plan.seed, step, index, entry.tensor, tensor.elements)
    if shape.guide is not None and step > 0:
        z = guided(plan.guide, z, shape.guide)
    return z if shape.kept is None else z * shape.kept


def perturb(
    plan, entry, tensor: Tensor, w: Int, step: int, moves: Iterable[tuple[int, int]], shape: Shape = AS_DRAWN
) -> Int:
    """The weights of a trial: w plus the sum of amount*eps*z on w's own grid; w itself does not change.

    Args:
        plan: `plan.model.TrainingPlan`.
        entry: the tensor's `Trainable` in the plan.
        tensor: the parameter.
        w: its integers in stored order, shape (elements,); long numbers where it has fraction bits.
        step: step number.
        moves: pairs of a direction's number and an amount, such as (0, -1).
        shape: what the plan makes of the directions.
    """
    mult = per_element(tensor, entry.perturb_mult)
    is_paper, total = plan.perturbation == "paper", np.zeros(tensor.elements, dtype=np.int64)
    for index, amount in moves:
        z = _z(plan, entry, tensor, shape, step, index)
        total += amount * (
            mult * z if is_paper else multiply(z, mult, per_element(tensor, entry.perturb_shift))
        )
    moved = multiply(w * ONE_Z + total, *plan.z_rescale) if is_paper else w + total
    return clamp(shift_right(moved, entry.fraction_bits), -tensor.q_max, tensor.q_max)


def rate(schedule: str, step: int, steps: int, warmup: int) -> int:
    """The learning rate's factor in Q15 at one step.

    >>> [rate("cosine", t, steps=4, warmup=0) for t in range(4)]
    [32768, 27969, 16384, 4799]
    """
    value = 32768
    if schedule == "linear":
        value = 32768 * (steps - step) // steps
    elif schedule == "cosine":
        table, position = cos_table(), step * 65536 // steps
        i, r = position >> 8, position & 255
        value = int(table[i] + (((table[i + 1] - table[i]) * r) >> 8))
    return value * (step + 1) // warmup if step < warmup else value


def rate_of(plan, step: int) -> int:
    """The same of a plan, whose schedule may begin at a later step than the first."""
    return rate(plan.schedule, step - plan.first_step, plan.steps - plan.first_step, plan.warmup)


def moves_now(plan, step: int) -> bool:
    """Whether the weights move after a step: after every one, or after `accumulate` of them and the last."""
    return (step + 1) % plan.accumulate == 0 or step + 1 == plan.steps


def update(
    plan,
    entry,
    tensor: Tensor,
    w: Int,
    velocity: Int | None,
    step: int,
    votes: Sequence[int],
    shape: Shape = AS_DRAWN,
    squares: Int | None = None,
) -> Int:
    """The weights after one step; `velocity` (the tensor's momentum buffer) is updated in place.

    Args:
        plan: `plan.model.TrainingPlan`.
        entry: the tensor's `Trainable` in the plan.
        tensor: the parameter.
        w: its integers, shape (elements,); long numbers where it has fraction bits, and so is the result.
        velocity: momentum buffer, shape (elements,), or None.
        step: step number.
        votes: one s8 per direction.
        shape: as for `perturb`.
        squares: what Adam divides by, u32 of each element, or None; updated in place.
    """
    g = _sum(plan, entry, tensor, shape, step, votes)
    if shape.guide is not None:
        shape.guide[:] = after(plan.guide, shape.guide, g, votes)
    scaled = clamp(g << plan.momentum_bits, -32767, 32767)
    if velocity is not None:
        faded = shift_right(velocity * plan.momentum, 15)
        velocity[:] = g = clamp(faded + (g << plan.momentum_bits), -32767, 32767)
    if squares is not None:
        squares[:] = squares_after(squares, scaled, step, plan.decay)
        g = divided(scaled if velocity is None else velocity, squares)
    return _moved(plan, entry, tensor, w, step, g * rate_of(plan, step))


def update_by_gradient(plan, entry, tensor: Tensor, w: Int, g: Int, step: int) -> Int:
    """A tensor of the tail after one step.

    Args:
        plan, entry, tensor, w, step: as for `update`.
        g: its gradient, flat (`arithmetic.tail.Sums.gradient`).
    """
    return _moved(plan, entry, tensor, w, step, g * rate_of(plan, step))


def update_together(
    plan, entry, tensor: Tensor, w: Int, step: int, held: Sequence[Sequence[int]], shape: Shape = AS_DRAWN
) -> Int:
    """The weights after several steps, the last of them `step`, that move them together.

    Args:
        plan, entry, tensor, w, step, shape: as for `update`.
        held: the votes of each of the steps.
    """
    total = np.zeros(tensor.elements, dtype=np.int64)
    for t, votes in enumerate(held, step + 1 - len(held)):
        total += _sum(plan, entry, tensor, shape, t, votes) * rate_of(plan, t)
    return _moved(plan, entry, tensor, w, step, total)


def _sum(plan, entry, tensor: Tensor, shape: Shape, step: int, votes: Sequence[int]) -> Int:
    g = np.zeros(tensor.elements, dtype=np.int64)
    for index, vote in enumerate(votes):
        if vote:
            g += vote * _z(plan, entry, tensor, shape, step, index)
    return g


def _moved(plan, entry, tensor: Tensor, w: Int, step: int, total: Int) -> Int:
    product = total * per_element(tensor, entry.update_mult)
    shift = per_element(tensor, entry.update_shift) + 15
    if plan.rounding == "nearest":
        move = shift_right(product, shift)
    elif plan.rounding == "floor":
        move = product >> shift
    else:
        u = half_words(plan.seed, step, STOCHASTIC_ROUNDING, entry.tensor, tensor.elements)
        noise = np.where(shift >= 16, u << np.maximum(shift - 16, 0), u >> np.maximum(16 - shift, 0))
        move = (product + noise) >> shift
    largest = tensor.q_max << entry.fraction_bits
    return clamp(w - move, -largest, largest)
