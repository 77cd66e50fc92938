"""Guided directions: part of each is where the steps before it went (contract, section 6)."""

from collections.abc import Sequence
from math import isqrt

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right

LARGEST = 127
"""Of an element of a direction."""


def guided(mix: tuple[int, int], z: Int, guide: Int) -> Int:
    """A direction of which a share is the guide; it has the variance of both.

    Args:
        mix: shares of the guide and of what is drawn, in Q15; the sum of their squares is one.
        z: as it was drawn.
        guide: s8, of the same elements.

    >>> import numpy as np
    >>> [int(v) for v in guided((16384, 28378), np.array([36, -36, 127]), np.array([36, 36, 127]))]
    [49, -13, 127]
    """
    return clamp(shift_right(mix[1] * z + mix[0] * guide, 15), -LARGEST, LARGEST)


def after(mix: tuple[int, int], guide: Int, g: Int, votes: Sequence[int]) -> Int:
    """The guide after a step: where it went, divided by the deviation that its votes let expect.

    Args:
        mix: as for `guided`.
        guide: s8, as it was in the step; it stays where all votes are 0.
        g: the sum of votes times directions, of the same elements.
        votes: of the step.
    """
    total = sum(votes)
    deviation = isqrt(mix[1] ** 2 * sum(vote * vote for vote in votes) + mix[0] ** 2 * total * total)
    if deviation == 0:
        return guide
    bits = deviation.bit_length()
    return clamp(shift_right(g * ((1 << (bits + 15)) // deviation), bits), -LARGEST, LARGEST)
