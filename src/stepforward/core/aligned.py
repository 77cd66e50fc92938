"""Memory as the core takes it."""

import numpy as np
from numpy.typing import NDArray


def aligned_bytes(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes whose address is a multiple of 64."""
    buffer = np.zeros(size + 64, dtype=np.uint8)
    skip = -buffer.ctypes.data % 64
    return buffer[skip : skip + size]
