"""Zeroth-order saliency: which weights the loss depends on, as a few probes before a run say (contract, section 6)."""

from collections.abc import Callable, Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.votes import FARTHEST, graded

FIRST_STEP, MOST_STEPS = 2**32 - 4096, 1024
"""The probes are the directions of these step numbers, which no run takes."""


def probe_votes(losses: Sequence[int]) -> tuple[int, ...]:
    """The vote of each probe: its difference of losses, measured by the root mean square of all.

    Args:
        losses: on either side of each probe, + before -.

    >>> probe_votes([50, 30, 40, 40, 10, 90])
    (3, 0, -14)
    """
    differences = [up - down for up, down in zip(losses[::2], losses[1::2], strict=True)]
    square = sum(min(abs(difference), FARTHEST) ** 2 for difference in differences) // len(differences)
    return tuple(graded(difference, isqrt(square)) for difference in differences)


def slopes(
    draw: Callable[..., NDArray[np.signedinteger]],
    distribution: str,
    seed: int,
    tensor: int,
    elements: int,
    votes: Sequence[int],
    directions: int,
) -> Int:
    """How the loss rises along each element of a tensor, in no unit: the sum of vote times z over all probes.

    Args:
        draw: `arithmetic.directions.direction`, or a faster one.
        distribution, seed: of the directions, as they are drawn.
        tensor: index of the parameter.
        elements: that it has.
        votes: of the probes, step by step.
        directions: of a step.
    """
    total = np.zeros(elements, dtype=np.int64)
    for number, vote in enumerate(votes):
        step, index = divmod(number, directions)
        if vote:
            z = draw(distribution, seed, FIRST_STEP + step, index, tensor, elements)
            total += np.multiply(z, vote, dtype=np.int64)
    return total


def least_slope(sizes: Int, count: int) -> int:
    """The least slope of a weight that moves: that of the one at place `count`, at least 1. Of equal ones all move.

    Args:
        sizes: absolute slopes, of all tensors together.
        count: of weights that shall move; 0: one more than any slope.

    >>> least_slope(np.array([3, 0, 9, 5, 5]), 2), least_slope(np.array([0, 0]), 1)
    (5, 1)
    """
    if count == 0:
        return int(sizes.max()) + 1
    place = len(sizes) - count
    return max(1, int(np.partition(sizes, place)[place]))
