"""Low-bit weights with room to grow: by which power of two their scale must be larger (contract, section 7)."""

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right


def nearest(numbers: Int, below: Int | int, q_max: int) -> Int:
    """The weights nearest to long numbers with `below` bits of fraction, halves up, within +-q_max."""
    return clamp(shift_right(numbers, below), -q_max, q_max)


def wider_by(rows: Int, below: int, q_max: int, room: int) -> Int:
    """For each row the e of 0 .. room whose weights, of a scale 2^e times as large, come nearest to the row's numbers:
    with the least sum of squared differences, and of equal ones the least e.

    Args:
        rows: long numbers, |number| < 2^15, shape (scales, weights).
        below: bits of fraction.
        q_max: of a weight.
        room: most powers of two.

    >>> wider_by(np.array([[1270, -640], [1290, -640], [5000, 1]]), 3, 127, 2).tolist()
    [1, 1, 2]
    """
    lost = [
        (((nearest(rows, below + e, q_max) << (below + e)) - rows) ** 2).sum(axis=1) for e in range(room + 1)
    ]
    return np.argmin(lost, axis=0).astype(np.int64)
