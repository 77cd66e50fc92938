"""Low-bit weights that learn: fraction bits below each one make it a long number (contract, section 7)."""

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, shift_right


def long_number(w: Int, fraction: Int, bits: int) -> Int:
    """What a weight and its fraction stand for, in units of 2^-bits of the weight's quantum."""
    return (w << bits) + fraction


def split(number: Int, bits: int) -> tuple[Int, Int]:
    """The weight nearest to a long number, halves up, and the fraction that is left.

    >>> [int(v[0]) for v in split(np.array([-24]), 4)], [int(v[0]) for v in split(np.array([23]), 4)]
    ([-1, -8], [1, 7])
    """
    w = shift_right(number, bits)
    return w, number - (w << bits)


def pack(fraction: Int, bits: int) -> bytes:
    """Fractions in two's complement, 8 // bits of them in a byte, the first in its lowest bits."""
    codes = np.zeros(-(-fraction.size * bits // 8) * (8 // bits), dtype=np.int64)
    codes[: fraction.size] = fraction & ((1 << bits) - 1)
    shifts = bits * np.arange(8 // bits)
    return (codes.reshape(-1, 8 // bits) << shifts).sum(axis=1).astype(np.uint8).tobytes()


def unpack(content: bytes, bits: int, count: int) -> NDArray[np.int64]:
    """The first `count` fractions of packed ones."""
    shifts = bits * np.arange(8 // bits)
    codes = (np.frombuffer(content, np.uint8).astype(np.int64)[:, None] >> shifts).reshape(-1)[:count]
    codes &= (1 << bits) - 1
    return codes - ((codes >> (bits - 1)) << bits)
