"""Statistics matching of a stream (contract, section 12): sums in 32 bits, which forget, one sample after the other."""

from typing import NamedTuple

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, shift_right
from stepforward.arithmetic.matching import MOST, PRIOR, Rule, Sums
from stepforward.errors import StepforwardError

WINDOW, MOST_WINDOW = 512, 4096
"""Samples after which the sums are halved, unless it is said otherwise, and the most there can be."""

STREAM = Rule(prior=6, slight=154, plain=307, caution=56)
"""One sample after the other: soon much is corrected where samples are far away, and more the longer it lasts."""

BATCHES = Rule(prior=16, slight=154, plain=307, caution=64)
"""Batch by batch on a host, where every batch is matched before it is predicted."""


class Seen(NamedTuple):
    """What a device holds of one site.

    Attributes:
        samples: 0 to the window.
        first: s32, one number for each channel, in its `units`.
        second: u32, one number for each channel, in its `units`.
    """

    samples: int
    first: Int
    second: Int


def nothing(channels: int) -> Seen:
    """Before the first sample."""
    return Seen(0, np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64))


def units(window: int, positions: int) -> tuple[int, int]:
    """The powers of two that sums and sums of squares are held in, so that a window of them fits into 32 bits.

    >>> units(512, 1024), units(512, 1)
    ((5, 19), (0, 9))
    """
    bits = (window * positions).bit_length()
    return max(0, bits - 15), bits - 1


def see(known: Seen, first: Int, second: Int, positions: int, window: int) -> Seen:
    """One sample more.

    Args:
        known: before it.
        first: sums of its standardized accumulators, one for each channel.
        second: of their squares.
        positions: of one sample.
        window: a full one is halved first.
    """
    if known.samples >= window:
        known = Seen(known.samples // 2, known.first >> 1, known.second >> 1)
    unit, square = units(window, positions)
    return Seen(
        known.samples + 1, known.first + shift_right(first, unit), known.second + shift_right(second, square)
    )


def sums(known: Seen, positions: int, window: int) -> Sums:
    """The sums as a matching takes them."""
    unit, square = units(window, positions)
    return Sums(known.samples, known.first << unit, known.second << square)


def largest_window(positions: int) -> int:
    """The most samples of so many positions.

    Raises:
        StepforwardError: they are too many for one sample.
    """
    most = min(MOST_WINDOW, MOST // positions - PRIOR)
    if most < 1:
        raise StepforwardError(
            f"a layer of {positions} positions is too large to be matched while the network is used",
            "use a model for smaller inputs",
        )
    return most
