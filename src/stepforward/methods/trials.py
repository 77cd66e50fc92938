"""The trials of a step: which way the weights are moved, and on which samples of the batch."""

from stepforward.engines.protocol import Move, Trial


def both_sides(samples: int, directions: int, share_batch: bool) -> list[Trial]:
    """Both sides of every direction, + before -, on all samples or on the direction's share of them.

    >>> for trial in both_sides(10, 2, share_batch=True): print(*trial)
    (Move(direction=0, amount=1),) slice(0, None, 2)
    (Move(direction=0, amount=-1),) slice(0, None, 2)
    (Move(direction=1, amount=1),) slice(1, None, 2)
    (Move(direction=1, amount=-1),) slice(1, None, 2)
    """
    rows = shares(samples, directions) if share_batch else [slice(None)] * directions
    return [Trial((Move(i, side),), rows[i]) for i in range(directions) for side in (+1, -1)]


def shares(samples: int, directions: int) -> list[slice]:
    """Every m-th sample of a batch for each of m directions, and at least one (contract, section 8).

    >>> [list(range(10))[rows] for rows in shares(10, 4)]
    [[0, 4, 8], [1, 5, 9], [2, 6], [3, 7]]
    """
    return [slice(i % samples, None, directions) for i in range(directions)]
