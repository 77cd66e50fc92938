"""Layer norm over the last axis."""

import math
from dataclasses import dataclass

from stepforward.arithmetic.fixedpoint import clamp, shift_right
from stepforward.arithmetic.rows import reciprocal, square_root, top_bit
from stepforward.operators.operator import Operator

MOST_CHANNELS = 32767


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Operator):
    """Layer norm over the last axis, of N channels: weight and bias are (N,); one pair, or one for each channel.

    Attributes:
        fraction: bits below one standard deviation of what the weight multiplies.
        epsilon: epsilon * N^2 / scale_x^2, at least 1: its upper and its lower 31 bits.
    """

    kind = "layer_norm"
    parametric = True

    fraction: int = 12
    epsilon: tuple[int, int] = (0, 1)

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        gamma, beta = parameters
        count, upper, lower = x[0].shape[-1], *self.epsilon
        total = x[0].sum(axis=-1, keepdims=True)
        spread = count * (x[0] * x[0]).sum(axis=-1, keepdims=True) - total * total + (upper << 31) + lower
        halves = (62 - top_bit(spread)) >> 1
        inverse = reciprocal(62, square_root(spread << (2 * halves)))
        z = shift_right((count * x[0] - total) * inverse, 62 - halves - self.fraction)
        return self.finish(clamp(z, -32768, 32767) * gamma + beta, y)

    def products(self, weight, y):
        """One for each output."""
        return y.elements


def fraction_bits(channels: int) -> int:
    """The most bits with which no value leaves 16: none is farther than sqrt(channels) deviations from the mean.

    >>> fraction_bits(64), fraction_bits(192)
    (12, 11)
    """
    return 15 - math.ceil(math.log2(math.sqrt(channels)))


def deviation_scale(channels: int) -> float:
    """One step of what the weight multiplies, in standard deviations."""
    return 2.0 ** -fraction_bits(channels)


def epsilon_words(epsilon: float, channels: int, scale: float) -> tuple[int, int]:
    """`epsilon * channels^2 / scale^2` as the operator has it.

    Raises:
        ValueError: it leaves the arithmetic.
    """
    whole = max(1, round(epsilon * channels**2 / scale**2))
    if whole >= 2**62:
        raise ValueError(f"its epsilon is {epsilon:g} and its input's step {scale:g}, too small for it")
    return whole >> 31, whole & (2**31 - 1)
