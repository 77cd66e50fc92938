"""The trials of a step: which way the weights are moved, and on which samples of the batch."""

from stepforward.arithmetic.directions import ASCENT
from stepforward.engines.protocol import PLAIN, Move, Trial


def both_sides(samples: int, directions: int, share_batch: bool, ascent: int = 0) -> list[Trial]:
    """Both sides of every direction, + before -, on all samples or on the direction's share of them; from where a move
    uphill has led, if there is one.

    >>> for trial in both_sides(10, 2, share_batch=True): print(*trial)
    (Move(direction=0, amount=1),) slice(0, None, 2)
    (Move(direction=0, amount=-1),) slice(0, None, 2)
    (Move(direction=1, amount=1),) slice(1, None, 2)
    (Move(direction=1, amount=-1),) slice(1, None, 2)
    """
    rows = shares(samples, directions) if share_batch else [slice(None)] * directions
    uphill = (Move(ASCENT, ascent),) if ascent else ()
    return [Trial((Move(i, side), *uphill), rows[i]) for i in range(directions) for side in (+1, -1)]


def upward(directions: int) -> list[Trial]:
    """The weights as they are, and up along every direction, on all samples.

    >>> for trial in upward(2): print(*trial)
    () slice(None, None, None)
    (Move(direction=0, amount=1),) slice(None, None, None)
    (Move(direction=1, amount=1),) slice(None, None, None)
    """
    return [PLAIN, *(Trial((Move(i, +1),)) for i in range(directions))]


def uphill_sides(samples: int, directions: int, share_batch: bool) -> list[Trial]:
    """Both sides of the direction that a sharpness-aware step moves uphill along, on what the first direction sees."""
    rows = shares(samples, directions)[0] if share_batch else slice(None)
    return [Trial((Move(ASCENT, side),), rows) for side in (+1, -1)]


def shares(samples: int, directions: int) -> list[slice]:
    """Every m-th sample of a batch for each of m directions, and at least one (contract, section 8).

    >>> [list(range(10))[rows] for rows in shares(10, 4)]
    [[0, 4, 8], [1, 5, 9], [2, 6], [3, 7]]
    """
    return [slice(i % samples, None, directions) for i in range(directions)]
