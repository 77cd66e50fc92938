"""What predictions say about samples (contract, section 11): entropy of their mean, and mean of their entropies.

Adaptation without labels that raises it is old: Krause et al., NeurIPS 2010; with networks, Liang et al. (SHOT), ICML
2020.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, shift_right
from stepforward.arithmetic.loss import log2, powers_of, shares_of

MOST_SAMPLES = 65535
"""Whose sums stay within 63 bits."""

MARGIN = 1 << 12
"""What a stronger matching may say less than the best one: samples tell smaller differences badly."""

SHARE_BITS = 14
"""Fraction bits of a slope, and of the shares that come with it."""

_BITS, _LONGEST, _LN2 = 15, 31 << 16, 45426


class Entropies(NamedTuple):
    """In units of 2^-16 bit.

    Attributes:
        of_mean: of the mean prediction: how many classes there seem to be. Falls where predictions collapse.
        mean: of a prediction, averaged over the samples: how unsure the network is.
    """

    of_mean: int
    mean: int

    @property
    def information(self) -> int:
        """What a prediction says of its sample: the mutual information of the two."""
        return self.of_mean - self.mean


def entropies(logits: NDArray[np.integer], mult: int, shift: int) -> Entropies:
    """Of the predictions for some samples, whose labels nobody knows.

    Args:
        logits: integers, shape (n, classes), n from 1 to `MOST_SAMPLES`.
        mult, shift: of the logits at temperature 1, as `arithmetic.loss.loss_rescale` makes them.

    >>> sure, unsure = np.array([[90, 0], [0, 90]]), np.array([[0, 0], [0, 0]])
    >>> entropies(sure, 32768, 0), entropies(unsure, 32768, 0), entropies(sure[:1], 32768, 0)
    (Entropies(of_mean=65536, mean=0), Entropies(of_mean=65536, mean=65536), Entropies(of_mean=0, mean=0))
    """
    distance, powers, total = powers_of(logits, mult, shift)
    mean = log2(total)[:, 0] + (powers * np.minimum(distance, _LONGEST)).sum(axis=1) // total[:, 0]
    return Entropies(entropy(shares_of(powers, total, _BITS).sum(axis=0)), int(mean.sum()) // len(mean))


def slopes(logits: NDArray[np.integer], mult: int, shift: int) -> tuple[Int, Int]:
    """How fast the information of some samples falls, times their number, as each of their logits rises, in nats, and
    their softmax.

    Args:
        logits, mult, shift: as of `entropies`.

    Returns:
        Two arrays of shape (n, classes), `SHARE_BITS` fraction bits.

    >>> [part.tolist() for part in slopes(np.array([[2, 0], [0, 1]]), 32768, 0)]
    [[[-1933, 1933], [2022, -2022]], [[10923, 5461], [6786, 9598]]]
    """
    distance, powers, total = powers_of(logits, mult, shift)
    shares = shares_of(powers, total, SHARE_BITS)
    counts = np.maximum(shares_of(powers, total, _BITS).sum(axis=0), 1)
    # by how much a prediction is above the mean one: what a sample says of each class
    above = log2(counts.sum(keepdims=True) << 30) - log2(counts << 30) - np.minimum(distance, _LONGEST)
    above -= log2(total)
    said = shift_right((shares * above).sum(axis=1, keepdims=True), SHARE_BITS)
    return shift_right(shares * (said - above) * _LN2, 32), shares


def entropy(counts: Int) -> int:
    """Of numbers that stand for shares, each below 2^31, in units of 2^-16 bit.

    >>> entropy(np.array([5, 5, 0, 10]))
    98304
    """
    counts = counts[counts > 0]
    whole = counts.sum(keepdims=True)
    return int(log2(whole << 30)[0] - (counts * log2(counts << 30)).sum() // whole[0])


def strongest(information: Sequence[int]) -> int:
    """Which of several programs is taken: the last that says no less than the first, nor `MARGIN` less than the best.

    Args:
        information: of each, the base first, then from the weakest matching to the strongest.

    >>> strongest([90000, 110000, 107000, 100000]), strongest([90000, 110000, 108000, 107000]), strongest([5, 4, 3])
    (2, 3, 0)
    """
    least = max(information[0], max(information) - MARGIN)
    return max(place for place, value in enumerate(information) if value >= least)
