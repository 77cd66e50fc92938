"""How much working memory the core gets on a host, and what it does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stepforward.core.bindings import ProgramHandle, library
from stepforward.errors import StepforwardError

if TYPE_CHECKING:
    from stepforward.plan.model import TrainingPlan

CHOICES = {
    "fast": "weights are packed once per step and trial for all threads, both sides of a direction from one z",
    "small": "every thread packs weights again for every block of samples, some rows at a time",
}
"""What a host may do with weights; results do not depend on it."""

ARENA_TARGET = 512 * 1024
"""Activations of one block of samples: they should stay in a core's second-level cache."""

TILE_TARGET = 384 * 1024
"""Packed weight rows that are multiplied together: they should stay there as well."""

PACKS_LIMIT = 64 * 1024 * 1024
"""Packed weights of trials beyond the first two."""

Z_LIMIT = 64 * 1024 * 1024
"""Directions kept from the losses of a step to its update; what does not fit is drawn again."""

MOST_ACTIVATIONS = 2**31 - 1
"""Bytes of one block that the core can count."""

MAX_BLOCK = 64
MAX_ROWS = 256


class HostMemory(NamedTuple):
    """How the core runs on a host, and the bytes it takes."""

    block: int  # samples
    row_tile: int
    slice_bytes: int  # working memory of one thread
    packs_bytes: int  # packed weights
    copies: int  # of the packed weights that move
    directions: int  # whose z is kept for the update

    def total(self, threads: int) -> int:
        """Bytes of all of it."""
        return self.slice_bytes * threads + self.packs_bytes


def host_memory(
    handle: ProgramHandle, plan: TrainingPlan | None, choice: str = "fast", block: int | None = None
) -> HostMemory:
    """Plan the working memory of one program on a host.

    Args:
        handle: the opened program.
        plan: the training plan, or None for inference.
        choice: of CHOICES.
        block: samples run together per thread; by the size of the activations if None.

    Raises:
        StepforwardError: there is no such choice.
    """
    if choice not in CHOICES:
        raise StepforwardError(f"memory = {choice!r}", f"choose one of {', '.join(CHOICES)}")
    arena = max(1, handle.arena_bytes)
    block = min(block or max(1, min(MAX_BLOCK, ARENA_TARGET // arena)), MOST_ACTIVATIONS // arena)
    row_tile = _row_tile(handle)
    slice_bytes = library().sf_thread_bytes(handle, block, row_tile)
    if choice == "small":
        return HostMemory(block, row_tile, slice_bytes, 0, 0, 0)
    copies = _copies(handle, plan, row_tile)
    directions = _directions(handle, plan, row_tile)
    packs_bytes = library().sf_packs_bytes(handle, row_tile, copies, directions)
    return HostMemory(block, row_tile, slice_bytes, packs_bytes, copies, directions)


def even_block(most: int, n: int, threads: int) -> int:
    """Samples run together, at most `most`, so that n are shared evenly among the threads.

    >>> even_block(21, 128, 2)
    16
    """
    rounds = -(-n // (most * threads))
    return max(1, -(-n // max(1, rounds * threads)))


def _copies(handle, plan, row_tile):
    """For two directions, so that threads pack one while others run the last; for all of a step where operators
    before the cut can be run once for them.

    Directions that share the batch out have no samples in common.
    """
    if plan is None:
        return 1
    one, two = (library().sf_packs_bytes(handle, row_tile, copies, 0) for copies in (1, 2))
    most = 2 + max(0, PACKS_LIMIT - two) // max(1, two - one)
    wanted = plan.directions if handle.cut and not plan.share_batch else 2
    return min(2 * min(wanted, plan.directions), most) // 2 * 2


def _directions(handle, plan, row_tile):
    if plan is None:
        return 0
    none, one = (library().sf_packs_bytes(handle, row_tile, 1, directions) for directions in (0, 1))
    return min(plan.directions, Z_LIMIT // max(1, one - none))


def _row_tile(handle):
    """As many rows as keep a tile within TILE_TARGET, at least one panel."""
    rows = MAX_ROWS
    while rows > 16 and library().sf_scratch_bytes(handle, 1, rows) - handle.arena_bytes > TILE_TARGET:
        rows -= 16
    return rows
