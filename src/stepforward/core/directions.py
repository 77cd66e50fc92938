"""Directions as the core draws them."""

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.core.bindings import library


def drawn(distribution: str, seed: int, step: int, index: int, tensor: int, count: int) -> NDArray[np.int8]:
    """What `arithmetic.directions.direction` defines, faster."""
    z = np.empty(count, dtype=np.int8)
    code = DISTRIBUTIONS.index(distribution)
    library().sf_directions(code, seed, step, index, tensor, 0, count, z.ctypes.data)
    return z
