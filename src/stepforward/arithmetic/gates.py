"""Hyperbolic tangent and sigmoid of fixed-point numbers, as recurrent operators take them (contract, section 4)."""

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, shift_right
from stepforward.arithmetic.tables import tanh_table

_PER_UNIT = 6
"""The table has 2^6 entries in 1."""


def tanh(x: Int, fraction: int) -> Int:
    """`tanh(x / 2^fraction)` in steps of 2^-15: between two entries of the table, on either side of zero alike.

    Args:
        x: at most 2^16 in magnitude.
        fraction: from 7 to 16.

    >>> tanh(np.array([-4096, 0, 4096, 32767]), 12).tolist()
    [-24956, 0, 24956, 32767]
    """
    below, table = fraction - _PER_UNIT, tanh_table()
    magnitude = np.minimum(np.abs(x), (len(table) - 1) << below)
    i = np.minimum(magnitude >> below, len(table) - 2)
    rest = magnitude - (i << below)
    found = shift_right((table[i] << below) + (table[i + 1] - table[i]) * rest, below)
    return np.where(x < 0, -found, found)


def sigmoid(x: Int, fraction: int) -> Int:
    """`1 / (1 + exp(-x / 2^fraction))` in steps of 2^-15, from 0 to 2^15: half of a tangent and a half.

    >>> sigmoid(np.array([-32768, 0, 4096, 32767]), 12).tolist()
    [11, 16384, 23956, 32757]
    """
    return (tanh(x, fraction + 1) + 32769) >> 1
