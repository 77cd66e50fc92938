"""The constant tables of the contract (sections 4, 5, 6 and 8), computed from their formulas."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

DELTA_Z = 3.5 / 127
"""Scale of a direction (paper, section 2.2: z_max = 3.5, 8 bits)."""

ONE_Z = 36
"""The number one on the grid of z: round(1 / DELTA_Z)."""


@cache
def exp2_table() -> NDArray[np.int64]:
    """`round(2^30 * 2^(-i/256))`, i = 0 .. 256."""
    return np.array([round(2**30 * 2 ** (-i / 256)) for i in range(257)], dtype=np.int64)


@cache
def log2_table() -> NDArray[np.int64]:
    """`round(2^30 * log2(1 + i/256))`, i = 0 .. 256."""
    return np.array([round(2**30 * math.log2(1 + i / 256)) for i in range(257)], dtype=np.int64)


@cache
def cos_table() -> NDArray[np.int64]:
    """`round(2^14 * (1 + cos(pi*i/256)))`, i = 0 .. 256: half a cosine from 32768 down to 0."""
    return np.array([round(2**14 * (1 + math.cos(math.pi * i / 256))) for i in range(257)], dtype=np.int64)


@cache
def tanh_table() -> NDArray[np.int64]:
    """`min(round(2^15 * tanh(i/64)), 32767)`, i = 0 .. 512."""
    return np.array([min(round(2**15 * math.tanh(i / 64)), 32767) for i in range(513)], dtype=np.int64)


def normal_weights() -> list[int]:
    """How many of 65,536 draws give each z = -127 .. 127: N(0, 1) on the grid of DELTA_Z, tails clipped to the ends."""

    def below(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    half = [65536 * (below((k + 0.5) * DELTA_Z) - below((k - 0.5) * DELTA_Z)) for k in range(1, 127)]
    half.append(65536 * (1 - below(126.5 * DELTA_Z)))
    counts = [round(weight) for weight in half]  # z = 1 .. 127; the same for -1 .. -127
    return [*counts[::-1], 65536 - 2 * sum(counts), *counts]


@cache
def alias_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Walker's alias table of the discrete normal: `(KEEP, ALIAS)`, 256 entries each.

    Slot s stands for z = s - 128 (slot 0 for nothing). Every slot holds 256 of the 65,536 equally likely draws: the
    first KEEP[s] mean its own z, the others ALIAS[s].
    """
    need = [0, *normal_weights()]
    keep, alias = [0] * 256, [slot - 128 for slot in range(256)]
    small = [slot for slot in range(256) if need[slot] < 256]
    large = [slot for slot in range(256) if need[slot] >= 256]
    while small and large:
        poor, rich = small.pop(), large[-1]
        keep[poor], alias[poor] = need[poor], rich - 128
        need[rich] -= 256 - need[poor]
        if need[rich] < 256:
            small.append(large.pop())
    return np.array(keep, dtype=np.int64), np.array(alias, dtype=np.int64)
