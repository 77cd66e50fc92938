"""Integer cross-entropy in bits (contract, section 5)."""

import math

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, multiply, quantize_multiplier
from stepforward.arithmetic.tables import exp2_table, log2_table


def exp2_negative(t: Int) -> Int:
    """`2^30 * 2^(-t / 2^16)` for t >= 0, at least 12 correct fractional bits, 0 from t = 31*2^16 on."""
    table = exp2_table()
    t = np.minimum(t, 31 << 16)
    k, i, r = t >> 16, (t >> 8) & 255, t & 255
    value = table[i] - (((table[i] - table[i + 1]) * r + 128) >> 8)
    return np.where(k < 31, value >> np.minimum(k, 30), 0)


def log2(s: Int) -> Int:
    """`2^16 * log2(s / 2^30)` for 2^30 <= s < 2^62, at least 12 correct fractional bits."""
    table = log2_table()
    k = np.floor(np.log2(s.astype(np.float64))).astype(np.int64)
    k = np.where(s >> k > 1, k + 1, np.where(s >> k < 1, k - 1, k))  # the top bit, whatever the float said
    f = (s >> (k - 30)) - (1 << 30)
    i, r = f >> 22, f & ((1 << 22) - 1)
    fraction = table[i] + (((table[i + 1] - table[i]) * r) >> 22)
    return ((k - 30) << 16) + ((fraction + (1 << 13)) >> 14)


def loss_rescale(scale: float, temperature: float = 1.0) -> tuple[int, int]:
    """(mult, shift) of `cross_entropy` for logits of a scale, divided by a temperature.

    The multiplier of a temperature is made from that of temperature 1, which is rounded already.

    Raises:
        ValueError: the multiplier leaves the arithmetic.

    >>> loss_rescale(0.25), loss_rescale(0.25, 2.0)
    ((47274, 1), (47274, 2))
    """
    mult, shift = quantize_multiplier(scale * math.log2(math.e) * 65536)
    return (mult, shift) if temperature == 1 else quantize_multiplier(mult / 2**shift / temperature)


def powers_of(logits: NDArray[np.integer], mult: int, shift: int) -> tuple[Int, Int, Int]:
    """Of each sample: how far its logits are below the largest, in 2^-16 bit, two to the power of less that, both of
    shape (n, classes), and the sum of these, shape (n, 1). Arguments as of `cross_entropy`."""
    logits = logits.astype(np.int64)
    distance = multiply(logits.max(axis=1, keepdims=True) - logits, mult, shift)
    powers = exp2_negative(distance)
    return distance, powers, powers.sum(axis=1, keepdims=True)


def shares_of(powers: Int, total: Int, bits: int) -> Int:
    """The softmax from what `powers_of` gives, with so many bits of fraction."""
    return ((powers << bits) + (total >> 1)) // total


def cross_entropy(logits: NDArray[np.integer], labels: NDArray[np.integer], mult: int, shift: int) -> Int:
    """Loss of each sample in units of 2^-16 bit: `log2(sum_j 2^(l_j)) - l_label`.

    Args:
        logits: integers, shape (n, classes).
        labels: shape (n,), in 0 .. classes-1.
        mult: multiplier of `scale_logits * log2(e) * 2^16`.
        shift: its shift.

    >>> cross_entropy(np.array([[0, 0]]), np.array([1]), 32768, 0)  # two equal logits: one bit
    array([65536])
    """
    distance, _, total = powers_of(logits, mult, shift)
    return log2(total[:, 0]) + distance[np.arange(len(labels)), labels]
