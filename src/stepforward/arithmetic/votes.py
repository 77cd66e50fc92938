"""Votes: what the two losses of each direction say (contract, section 8)."""

from collections.abc import Sequence
from math import isqrt

ONE, MOST = 8, 24
"""A graded vote at one deviation of the differences, and the largest: three of them."""

FARTHEST = 2**28 - 1
"""Differences count up to here, so that the sum of 255 squares has 64 bits."""


def votes(kind: str, losses: Sequence[int], scale: int) -> tuple[tuple[int, ...], int]:
    """The votes of a step, and the scale that it leaves.

    Args:
        kind: "sign" or "graded".
        losses: on either side of each direction, + before -.
        scale: running mean square of the differences, as the step before left it; 0 before the first.

    >>> votes("sign", [5, 3, 4, 4, 1, 9], 0)
    ((1, 0, -1), 0)
    >>> votes("graded", [50, 30, 40, 40, 10, 90], 0)
    ((8, 0, -8), 2266)
    >>> votes("graded", [50, 30, 40, 40, 10, 300], 2266)
    ((3, 0, -24), 3885)
    """
    differences = [up - down for up, down in zip(losses[::2], losses[1::2], strict=True)]
    if kind == "sign":
        return tuple(sign(difference) for difference in differences), 0
    deviation = isqrt(scale)
    square = sum(min(abs(difference), FARTHEST) ** 2 for difference in differences) // len(differences)
    after = scale + ((square - scale + 8) >> 4) if scale else square
    return tuple(graded(difference, deviation) for difference in differences), after


def graded(difference: int, deviation: int) -> int:
    """A difference in eighths of the deviation, rounded, -24 to 24; one of them before there is a deviation."""
    size = (ONE * min(abs(difference), FARTHEST) + deviation // 2) // deviation if deviation else ONE
    return sign(difference) * min(size, MOST)


def sign(value: int) -> int:
    """-1, 0 or +1."""
    return (value > 0) - (value < 0)
