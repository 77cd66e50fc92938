"""What predictions say about samples (contract, section 11): entropy of their mean, and mean of their entropies."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, multiply
from stepforward.arithmetic.loss import exp2_negative, log2

MOST_SAMPLES = 65535
"""Whose sums stay within 63 bits."""

MARGIN = 1 << 12
"""What a stronger matching may say less than the best one: samples tell smaller differences badly."""

_BITS, _LONGEST = 15, 31 << 16


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
    logits = logits.astype(np.int64)
    distance = multiply(logits.max(axis=1, keepdims=True) - logits, mult, shift)
    powers = exp2_negative(distance)
    total = powers.sum(axis=1)
    mean = log2(total) + (powers * np.minimum(distance, _LONGEST)).sum(axis=1) // total
    shares = ((powers << _BITS) + (total[:, None] >> 1)) // total[:, None]
    return Entropies(entropy(shares.sum(axis=0)), int(mean.sum()) // len(mean))


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
