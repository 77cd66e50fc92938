"""Adam in integers: moves divided by the running deviation of each element (contract, section 8)."""

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right

ONE = 256
"""A move of one deviation."""

LARGEST = 32767


def squares_after(squares: Int, g: Int, step: int, decay: int) -> Int:
    """The running mean square of each element after a step: at first of all steps so far, then of about 2^decay.

    Args:
        squares: u32, 0 before the first step.
        g: of the step, s16.
        step: its number.
        decay: of the mean.

    >>> squares_after(np.array([1000, 0]), np.array([100, 3]), step=1, decay=7).tolist()
    [5500, 5]
    """
    return squares + shift_right(g * g - squares, min(decay, (step + 1).bit_length() - 1))


def divided(g: Int, squares: Int) -> Int:
    """Moves in 1/256 of the deviation of their element, rounded, halves away from zero.

    >>> divided(np.array([100, -100, 32767]), np.array([10000, 40000, 0])).tolist()
    [253, -127, 32767]
    """
    roots = np.sqrt(squares.astype(np.float64)).astype(np.int64)  # exact below 2^52
    return clamp(np.sign(g) * ((ONE * np.abs(g) + (roots + 1) // 2) // (roots + 1)), -LARGEST, LARGEST)
