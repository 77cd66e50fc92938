"""Random directions without state (contract, section 6): any element of any z from a counter."""

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.arithmetic.fixedpoint import clamp
from stepforward.arithmetic.tables import ONE_Z, alias_table

STOCHASTIC_ROUNDING = 0xFFFFFFFF
SAMPLE_ORDER = 0xFFFFFFFE
MASK = 0xFFFFFFFD
ASCENT = 0xFFFFFFFC
"""Reserved direction numbers."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32_10(counter: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Philox4x32-10 (Salmon et al., SC 2011).

    Args:
        counter: four 32-bit words each, shape (blocks, 4).
        seed: 64-bit key.

    Returns:
        Four 32-bit words per block, shape (blocks, 4).

    >>> [hex(w) for w in philox4x32_10(np.zeros((1, 4), np.uint64), 0)[0]]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> _HALF) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _HALF) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def _words(seed: int, step: int, direction: int, tensor: int, blocks: int) -> NDArray[np.uint64]:
    counter = np.empty((blocks, 4), dtype=np.uint64)
    counter[:, 0] = np.arange(blocks)
    counter[:, 1:] = (tensor, direction, step)
    return philox4x32_10(counter, seed)


def half_words(seed: int, step: int, direction: int, tensor: int, count: int) -> NDArray[np.int64]:
    """The first `count` 16-bit numbers of a stream, eight per block, low half first."""
    words = _words(seed, step, direction, tensor, -(-count // 8))
    halves = np.stack([words & np.uint64(0xFFFF), words >> 16], axis=2)
    return halves.reshape(-1)[:count].astype(np.int64)


def _normal(seed: int, step: int, direction: int, tensor: int, count: int) -> NDArray[np.int64]:
    u = half_words(seed, step, direction, tensor, count)
    keep, alias = alias_table()
    slot, r = u & 255, u >> 8
    return np.where(r < keep[slot], slot - 128, alias[slot])


def _binomial(seed: int, step: int, direction: int, tensor: int, count: int) -> NDArray[np.int64]:
    coins = np.bitwise_count(half_words(seed, step, direction, tensor, count)).astype(np.int64)
    return clamp(18 * (coins - 8), -127, 127)


def _rademacher(seed: int, step: int, direction: int, tensor: int, count: int) -> NDArray[np.int64]:
    words = _words(seed, step, direction, tensor, -(-count // 128)).reshape(-1, 1)
    bits = ((words >> np.arange(32, dtype=np.uint64)) & np.uint64(1)).reshape(-1)[:count].astype(np.int64)
    return ONE_Z * (2 * bits - 1)


_DRAW = dict(zip(DISTRIBUTIONS, (_normal, _rademacher, _binomial), strict=True))


def direction(
    distribution: str, seed: int, step: int, index: int, tensor: int, count: int
) -> NDArray[np.int64]:
    """z on its s8 grid for elements 0 .. count-1 of one parameter tensor; real value `z * DELTA_Z`.

    >>> [int(z) for z in direction("rademacher", seed=1, step=0, index=0, tensor=0, count=4)]
    [-36, -36, -36, -36]
    """
    return _DRAW[distribution](seed, step, index, tensor, count)


def sample_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order of n samples in one epoch (contract, section 9): a permutation of 0 .. n-1."""
    words = _words(seed, epoch, SAMPLE_ORDER, 0, -(-n // 2)).reshape(-1, 2)[:n]
    return np.argsort(words[:, 0] | (words[:, 1] << np.uint64(32)), kind="stable")
