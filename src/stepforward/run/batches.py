"""Which samples a step sees (contract, section 9): a function of seed and step number alone."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stepforward.reference.directions import sample_order


def batch_indices(seed: int, n: int, size: int) -> Callable[[int], NDArray[np.int64]]:
    """Sample numbers of each step: consecutive slices of freshly shuffled epochs; all n samples if `size` >= n.

    >>> batch_indices(seed=1, n=3, size=8)(5)
    array([0, 1, 2])
    """
    if size >= n:
        everything = np.arange(n)
        return lambda step: everything
    epoch = lru_cache(maxsize=2)(lambda number: sample_order(seed, number, n))

    def indices(step: int) -> NDArray[np.int64]:
        positions = np.arange(step * size, step * size + size)
        return np.array([epoch(int(p) // n)[int(p) % n] for p in positions])

    return indices
