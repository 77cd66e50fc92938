"""Quotients and square roots that softmax and layer norm take once for each row (contract, section 4)."""

import numpy as np

from stepforward.arithmetic.fixedpoint import Int


def top_bit(value: Int) -> Int:
    """The number of the highest bit that is set, of positive integers.

    >>> top_bit(np.array([1, 2, 3, 2**53 - 1, 2**62 + 1])).tolist()
    [0, 1, 1, 52, 62]
    """
    k = np.minimum(np.frexp(value.astype(np.float64))[1].astype(np.int64) - 1, 62)
    return np.where(value >> k == 0, k - 1, k)  # the float was rounded up to a power of two


def square_root(value: Int) -> Int:
    """`floor(sqrt(value))` of integers from 0 to 2^63 - 1.

    >>> square_root(np.array([0, 15, 16, 2**62 - 1, 2**63 - 1])).tolist()
    [0, 3, 4, 2147483647, 3037000499]
    """
    exact = value.astype(np.uint64)
    root = np.floor(np.sqrt(value.astype(np.float64))).astype(np.uint64)
    root = np.where(root * root > exact, root - np.uint64(1), root)
    more = root + np.uint64(1)
    return np.where(more * more <= exact, more, root).astype(np.int64)


def reciprocal(power: int, value: Int) -> Int:
    """`floor(2^power / value)`; power is at most 62.

    >>> reciprocal(62, np.array([3, 2**31])).tolist()
    [1537228672809129301, 2147483648]
    """
    return np.int64(2**power) // value
