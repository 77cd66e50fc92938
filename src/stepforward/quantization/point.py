"""The format of an activation, and real values as integers of it hold them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Point:
    """Format of one activation; `owner` is the first activation that has it, where several share one."""

    scale: np.float32
    zero_point: int
    bits: int
    owner: str


def as_stored(values: NDArray[np.float32], point: Point) -> NDArray[np.float32]:
    """Real values as integers of a format hold them."""
    most = 2 ** (point.bits - 1)
    q = np.floor(values.astype(np.float64) / float(point.scale) + 0.5) + point.zero_point
    q = np.clip(q, -most, most - 1)
    return ((q - point.zero_point) * float(point.scale)).astype(np.float32)
