"""Sparse updates: which weights move, as rules that are followed again wherever a direction is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.masks import kept
from stepforward.arithmetic.step import channels
from stepforward.errors import StepforwardError
from stepforward.plan.model import Mask, TrainingPlan
from stepforward.plan.sizes import quantum
from stepforward.program.model import Program
from stepforward.program.weights import unpack
from stepforward.settings import Settings

FARTHEST = 2**31
"""A threshold that no weight reaches."""


def plan_masks(program: Program, voted: Sequence[int], settings: Settings) -> Mapping[int, Mask]:
    """The mask of each tensor that votes move, by its index; none where everything moves, and of saliency, which takes
    probes: `masked` adds it to a plan.

    Args:
        program: with the weights that training starts from, which the masks go by.
        voted: parameter indices that votes move.
        settings: real-valued settings.

    Raises:
        StepforwardError: the sparsity leaves nothing that moves.
    """
    if not settings.sparsity or not voted or settings.mask == "saliency":
        return {}
    masks = _masks(program, voted, settings)
    base = {index: unpack(program.tensors[index], program.weights).reshape(-1) for index in voted}
    moving = sum(
        int(kept(masks[index], settings.seed, index, program.tensors[index], base[index]).sum())
        for index in voted
    )
    need_some(moving, sum(program.tensors[index].elements for index in voted), settings)
    return masks


def need_some(moving: int, elements: int, settings: Settings) -> None:
    """Refuse masks that leave nothing to move.

    Raises:
        StepforwardError: `moving` is 0.
    """
    if moving == 0:
        raise StepforwardError(
            f"sparsity = {settings.sparsity!r} with mask = {settings.mask!r} leaves nothing of {elements} weights",
            "use a smaller --sparsity",
        )


def of_bits(kept: NDArray[np.bool_]) -> Mask:
    """The mask that says of each element whether it moves, shape (elements,)."""
    bits = np.packbits(kept, bitorder="little")
    words = np.frombuffer(bits.tobytes().ljust(-(-len(bits) // 4) * 4, b"\0"), "<u4")
    return Mask("bits", tuple(words.tolist()))


def masked(plan: TrainingPlan, masks: Mapping[int, Mask]) -> TrainingPlan:
    """A plan with other masks, by the index of a tensor that votes move; the same where there are none."""
    if not masks:
        return plan
    voted = [replace(entry, mask=masks[entry.tensor]) for entry in plan.voted]
    return replace(plan, trainable=(*voted, *plan.trainable[len(voted) :]))


def _masks(program: Program, voted: Sequence[int], settings: Settings) -> dict[int, Mask]:
    if settings.mask == "random":
        share = round((1 - settings.sparsity) * 65536)
        return {index: Mask("random", (min(share, 65535),)) for index in voted}
    sizes = {index: _sizes(program, index, settings) for index in voted}
    if settings.mask == "threshold":
        every = _cut(np.concatenate(list(sizes.values())), settings.sparsity)
        cuts = dict.fromkeys(voted, every)
    else:
        cuts = {index: _cut(size, settings.sparsity) for index, size in sizes.items()}
    return {
        index: Mask("least", tuple(_threshold(cuts[index], q) for q in _quantum(program, index, settings)))
        for index in voted
    }


def _sizes(program: Program, index: int, settings: Settings) -> NDArray[np.float64]:
    """How large each base weight is, in the units of epsilon."""
    tensor = program.tensors[index]
    grid = np.array(_quantum(program, index, settings))
    weights = np.abs(unpack(tensor, program.weights).reshape(-1))
    return weights * (grid[channels(tensor)] if len(grid) > 1 else grid[0])


def _quantum(program: Program, index: int, settings: Settings) -> tuple[float, ...]:
    return quantum(program, index, settings.sizes, settings.bias_factors)


def _cut(sizes: NDArray[np.float64], sparsity: float) -> float:
    """The size of the smallest weight that moves; none does if the share is too small for one."""
    count = round((1 - sparsity) * sizes.size)
    return float(np.partition(sizes, sizes.size - count)[sizes.size - count]) if count else float("inf")


def _threshold(cut: float, quantum: float) -> int:
    """The least integer that is no smaller than `cut` on this grid."""
    if cut > FARTHEST * quantum:
        return FARTHEST
    found = int(cut / quantum)
    while found * quantum < cut:
        found += 1
    while found > 0 and (found - 1) * quantum >= cut:
        found -= 1
    return found
