"""Arrays that are gone through a block of rows at a time, so that they need not be in memory as a whole."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 2**24


class Rows(NamedTuple):
    """An array of samples.

    Attributes:
        shape, dtype: of the whole array; the first axis counts samples.
        blocks: goes through the rows in order, some at a time.
        array: the whole array where it is in memory anyway, else None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Callable[[], Iterator[NDArray]]
    array: NDArray | None = None


def rows_of(array: NDArray) -> Rows:
    """The rows of an array in memory."""
    step = rows_per_block(array.shape, array.dtype)
    return Rows(
        array.shape,
        array.dtype,
        lambda: (array[first : first + step] for first in range(0, len(array), step)),
        array,
    )


def rows_per_block(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """How many rows of such an array make a block."""
    return max(1, BLOCK_BYTES // max(1, dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))))
