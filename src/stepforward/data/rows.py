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


def evenly(count: int, most: int) -> NDArray[np.integer]:
    """Which of so many samples are looked at where at most `most` are: all of them, or some that lie evenly among them.

    >>> evenly(5, 9).tolist(), evenly(5, 3).tolist()
    ([0, 1, 2, 3, 4], [0, 2, 4])
    """
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def rows_of(array: NDArray) -> Rows:
    """The rows of an array in memory."""
    step = rows_per_block(array.shape, array.dtype)
    return Rows(
        array.shape,
        array.dtype,
        lambda: (array[first : first + step] for first in range(0, len(array), step)),
        array,
    )


def finite_rows(array: NDArray) -> NDArray[np.bool_]:
    """Which rows of an array of floats hold neither NaN nor Inf.

    >>> finite_rows(np.array([[0, 1], [2, np.nan]])).tolist()
    [True, False]
    """
    found = [np.isfinite(block).reshape(len(block), -1).all(axis=1) for block in rows_of(array).blocks()]
    return np.concatenate([np.ones(0, np.bool_), *found])


def reorder(array: NDArray, order: NDArray[np.int64]) -> None:
    """`array[:] = array[order]`, in place: besides the array it takes a block, or one number of every row.

    Args:
        array: C-contiguous, at least one axis.
        order: a permutation of the row numbers.

    >>> array = np.array([[1, 2], [3, 4], [5, 6]])
    >>> reorder(array, np.array([2, 0, 1]))
    >>> array.tolist()
    [[5, 6], [1, 2], [3, 4]]
    """
    flat = array.reshape(len(array), -1)
    if not np.shares_memory(flat, array):
        raise ValueError("the array is not contiguous")
    columns = max(1, BLOCK_BYTES // max(1, array.itemsize * len(array)))
    for first in range(0, flat.shape[1], columns):
        flat[:, first : first + columns] = flat[order, first : first + columns]


def rows_per_block(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """How many rows of such an array make a block."""
    return max(1, BLOCK_BYTES // max(1, dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))))
