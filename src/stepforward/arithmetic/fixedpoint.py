"""Fixed-point primitives (contract, section 2): everything rounds here, and only here."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int = NDArray[np.int64]


def clamp(value: ArrayLike, lo: int, hi: int) -> Int:
    """The value of [lo, hi] nearest to each element."""
    return np.clip(np.asarray(value, dtype=np.int64), lo, hi)


def shift_right(value: ArrayLike, shift: ArrayLike) -> Int:
    """`value / 2^shift`, rounded half up: `(value + half) >> shift`.

    >>> [int(v) for v in shift_right([-3, -1, 1, 3], 1)]
    [-1, 0, 1, 2]
    """
    shift = np.asarray(shift, dtype=np.int64)
    half = (np.int64(1) << shift) >> 1
    return (np.asarray(value, dtype=np.int64) + half) >> shift


def multiply(value: ArrayLike, mult: ArrayLike, shift: ArrayLike) -> Int:
    """`value * mult / 2^shift`, rounded half up."""
    return shift_right(np.asarray(value, dtype=np.int64) * np.asarray(mult, dtype=np.int64), shift)


def requantize(acc: ArrayLike, mult: ArrayLike, shift: ArrayLike, zero_point: int, lo: int, hi: int) -> Int:
    """`clamp(((acc*mult + half) >> shift) + zero_point, lo, hi)`: the paper's multiply and shift (its Appendix A).

    Args:
        acc: exact accumulator, |acc| < 2^46.
        mult: 0 .. 65535, one or broadcastable to `acc`.
        shift: 0 .. 47, likewise.
        zero_point: of the result.
        lo: smallest result.
        hi: largest result.
    """
    return clamp(multiply(acc, mult, shift) + zero_point, lo, hi)


def quantize_multiplier(ratio: float) -> tuple[int, int]:
    """The (mult, shift) nearest to a positive real ratio, mult in [2^15, 2^16) unless the ratio is below 2^-32.

    Raises:
        ValueError: the ratio is negative, not finite, or 2^16 and more.

    >>> quantize_multiplier(1.0)
    (32768, 15)
    """
    if not (math.isfinite(ratio) and ratio >= 0):
        raise ValueError(f"a rescaling ratio must be finite and not negative, not {ratio}")
    fraction, exponent = math.frexp(ratio)
    mult, shift = round(fraction * 65536), 16 - exponent
    if mult == 65536:
        mult, shift = 32768, shift - 1
    if shift > 47:
        mult, shift = int(shift_right(mult, min(shift - 47, 40))), 47
    if shift < 0:
        raise ValueError(f"a rescaling ratio of {ratio} does not fit a 16-bit multiplier")
    return mult, shift


def add_multipliers(ratio_a: float, ratio_b: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two (mult, shift) pairs of an addition: one shift for both, so that the sum is rounded once.

    >>> add_multipliers(1.0, 0.25)
    ((32768, 15), (8192, 15))
    """
    _, shift = quantize_multiplier(max(ratio_a, ratio_b))
    return (min(round(ratio_a * 2**shift), 65535), shift), (min(round(ratio_b * 2**shift), 65535), shift)
