"""The other roundings (contract, section 2): what runtimes of int8 networks do between a sum and an output.

A program that was made from a file of a runtime rounds as that runtime does, so that it computes the same integers. All
are defined in integers, and a pair (mult, shift) means `mult / 2^shift` in each of them.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stepforward.arithmetic.fixedpoint import Int, clamp, multiply, shift_right

CONTRACT, TWICE, ONCE, FLOAT, INSIDE, INSIDE_BYTES = range(6)
"""Their numbers in a program's file: the contract's own; 32-bit multipliers, rounded twice (TFLM and CMSIS-NN) or once;
a float32 multiplier (XNNPACK, ONNX Runtime); and, where two tensors are joined, float32 with the zero points inside,
of int8 or of bytes (ONNX Runtime on x86)."""

NAMES = ("contract", "twice", "once", "float32", "inside", "inside bytes")
SUM_BITS = 20
"""By how much an addition of bytes is finer than its inputs, when it is rounded twice."""

_LEAST, _MOST = -(2**31), 2**31 - 1


def rescale(acc: ArrayLike, mult: ArrayLike, shift: ArrayLike, rounding: int) -> Int:
    """`acc * mult / 2^shift`, rounded as `rounding` says.

    Args:
        acc: exact sums; where rounding is not the contract's, what lies outside 32 bits is saturated first.
        mult, shift: one pair, or broadcastable to `acc`; of the range that `in_range` names.
        rounding: CONTRACT, TWICE, ONCE or FLOAT.

    >>> [int(rescale(-2, 1 << 30, 32, rounding)) for rounding in (TWICE, ONCE)]
    [-1, 0]
    """
    if rounding == CONTRACT:
        return multiply(acc, mult, shift)
    saturated = clamp(acc, _LEAST, _MOST)
    mult, shift = np.asarray(mult, dtype=np.int64), np.asarray(shift, dtype=np.int64)
    if rounding == ONCE:
        return shift_right(saturated * mult, shift)
    return _twice(saturated, mult, shift) if rounding == TWICE else _float(saturated, mult, shift)


def _twice(acc: Int, mult: Int, shift: Int) -> Int:
    """The high word of a doubled product, rounded half up; then the rest of the shift, rounded half away from zero."""
    left, right = np.maximum(31 - shift, 0), np.maximum(shift - 31, 0)
    high = shift_right(clamp(acc << left, _LEAST, _MOST) * mult, 31)
    half = (np.int64(1) << right) >> 1
    return np.where(right > 0, (high + half - (high < 0)) >> right, high)


def _float(acc: Int, mult: Int, shift: Int) -> Int:
    """As float32 arithmetic does it: the sum, its product, and an integer, each rounded half to even."""
    return _even(_float32(_float32(acc) * mult), np.minimum(shift, 60))


def _float32(value: Int) -> Int:
    """Integers below 2^62 with 24 significant bits, half to even."""
    magnitude, bits = np.abs(value), np.zeros_like(value)
    for step in (32, 16, 8, 4, 2, 1):
        longer = (magnitude >> bits) >= (np.int64(1) << step)
        bits = bits + np.where(longer, step, 0)
    dropped = np.maximum(bits + 1 - 24, 0)
    return _even(value, dropped) << dropped


def _even(value: Int, shift: Int) -> Int:
    """`value / 2^shift`, rounded half to even."""
    half = (np.int64(1) << shift) >> 1
    odd = (value >> shift) & 1
    return np.where(shift > 0, (value + half - 1 + odd) >> shift, value)


def base(rounding: int) -> int:
    """What INSIDE and INSIDE_BYTES add to every int8 before they compute: bytes count from 0."""
    return 128 if rounding == INSIDE_BYTES else 0


def float_sum(
    a: Int, b: Int, zero_points: tuple[int, int, int], pairs: tuple[tuple[int, int], tuple[int, int]]
) -> Int:
    """`a*mult_a/2^shift_a + b*mult_b/2^shift_b`, zero points apart, as fused float32 arithmetic adds; half to even.

    Args:
        a, b: integers as they are stored.
        zero_points: of a, b and the result, stored alike.
        pairs: of a and b.

    Returns:
        Integers as they are stored, not yet clamped.

    >>> int(float_sum(np.int64(3), np.int64(4), (1, 2, 10), ((1 << 23, 24), (1 << 23, 24))))
    12
    """
    (mult_a, shift_a), (mult_b, shift_b) = pairs
    shift = max(shift_a, shift_b)
    one, other = mult_a << (shift - shift_a), mult_b << (shift - shift_b)
    zero_a, zero_b, zero_y = (np.asarray(zero, np.int64) for zero in zero_points)
    rest = _float32((zero_y << shift) - _float32(zero_a * one + _float32(zero_b * other)))
    return _even(_float32(a * one + _float32(b * other + rest)), np.asarray(shift, np.int64))


def float_product(acc: Int, zero_point: int, mult: Any, shift: Any) -> Int:
    """`acc*mult/2^shift + zero_point` as float32 arithmetic adds, half to even.

    Args:
        acc: exact products or sums, below 2^31.
        zero_point: of the result.
        mult, shift: one pair, or broadcastable to `acc`.

    >>> int(float_product(np.int64(3), 10, 1 << 23, 24))
    12
    """
    zero, right = np.asarray(zero_point, np.int64), np.asarray(shift, np.int64)
    return _even(_float32(_float32(_float32(acc) * mult) + (zero << right)), right)


def in_range(mult: int, shift: int, rounding: int) -> bool:
    """Whether a pair is one of a rounding.

    >>> in_range(65535, 47, CONTRACT), in_range(65536, 20, CONTRACT), in_range(65536, 20, ONCE)
    (True, False, True)
    """
    if rounding == CONTRACT:
        return 0 <= mult < 2**16 and 0 <= shift <= 47
    if rounding in (INSIDE, INSIDE_BYTES):
        return 2**23 <= mult < 2**24 and 10 <= shift <= 44
    if rounding == FLOAT:
        return (2**23 <= mult < 2**24 or mult == 0) and 0 <= shift <= 63
    return 0 <= mult < 2**31 and 1 <= shift <= 62


def single_ratio(factors: Iterable[float], y: float) -> float:
    """The product of scales over another, every result a float32.

    >>> single_ratio([0.1], 0.3), 0.1 / 0.3
    (0.3333333134651184, 0.33333333333333337)
    """
    product = np.float32(1)
    for factor in factors:
        product = np.float32(product * np.float32(factor))
    return float(np.float32(product / np.float32(y)))


def q31_multiplier(ratio: float) -> tuple[int, int]:
    """The pair of a positive ratio for TWICE and ONCE, as TensorFlow Lite makes it; ratios below 2^-32 become 0.

    Raises:
        ValueError: the ratio is negative, not finite, or 2^30 and more.

    >>> q31_multiplier(0.25)
    (1073741824, 32)
    """
    if not (math.isfinite(ratio) and 0 <= ratio < 2.0**30):
        raise ValueError(f"a rescaling ratio of {ratio} does not fit a 32-bit multiplier")
    fraction, exponent = math.frexp(ratio)
    mult = math.floor(fraction * 2**31 + 0.5)
    if mult == 2**31:
        mult, exponent = 2**30, exponent + 1
    return (0, 31) if exponent < -31 else (mult, 31 - exponent)


def float_multiplier(scale: float) -> tuple[int, int]:
    """The pair of a positive float32 number for FLOAT.

    Args:
        scale: the value of a float32, 2^-40 to 2^23.

    Raises:
        ValueError: it is another number.

    >>> float_multiplier(0.75)
    (12582912, 24)
    """
    fraction, exponent = math.frexp(scale)
    mult, shift = int(fraction * 2**24), 24 - exponent
    if not in_range(mult, shift, FLOAT) or mult / 2.0**shift != scale or mult == 0:
        raise ValueError(f"a rescaling ratio of {scale} does not fit a float32 multiplier")
    return mult, shift


def mean_multiplier(ratio: float, count: int) -> tuple[int, int]:
    """The pair of a mean of `count` values for TWICE, as TensorFlow Lite makes it.

    Args:
        ratio: of the scales of input and output.
        count: how many values a sum has.

    >>> mean_multiplier(1.0, 4) == q31_multiplier(0.25)
    True
    """
    mult, shift = q31_multiplier(ratio)
    finer = min(count.bit_length() - 1, 32, 62 - shift)
    return (mult << finer) // count, shift + finer
