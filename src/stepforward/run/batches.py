"""Which samples a step sees (contract, section 9): a function of seed, labels and step number alone."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.directions import sample_order


def batches_of(
    seed: int, labels: NDArray[np.integer], size: int, balance: bool, shares: int = 1
) -> Callable[[int], NDArray[np.int64]]:
    """Sample numbers of each step of a run.

    Args:
        seed: of the order.
        labels: classes of the training samples.
        size: samples per step.
        balance: whether batches are drawn class by class.
        shares: directions that share a batch out, sample by sample.
    """
    if balance:
        return balanced_indices(seed, labels, size, shares)
    return batch_indices(seed, len(labels), size)


def batch_indices(seed: int, n: int, size: int) -> Callable[[int], NDArray[np.int64]]:
    """Sample numbers of each step: consecutive slices of freshly shuffled epochs; all n samples if `size` >= n.

    >>> batch_indices(seed=1, n=3, size=8)(5)
    array([0, 1, 2])
    """
    if size >= n:
        everything = np.arange(n)
        return lambda step: everything
    epoch = lru_cache(maxsize=2)(lambda number: sample_order(seed, number, n))

    def indices(step: int) -> NDArray[np.int64]:
        positions = np.arange(step * size, step * size + size)
        return np.array([epoch(int(p) // n)[int(p) % n] for p in positions])

    return indices


def balanced_indices(
    seed: int, labels: NDArray[np.integer], size: int, shares: int = 1
) -> Callable[[int], NDArray[np.int64]]:
    """Batches in which every class has as many samples as any other, but for one where they do not divide evenly.

    So has every share of a batch, which is each `shares`-th sample of it. The classes take turns; each goes through its
    own samples in freshly shuffled epochs, in which a rare class repeats them. A batch is never larger than the data,
    as without balance; where there are more classes than places, the turn continues in the next step.

    >>> labels = np.array([0] * 190 + [1] * 10)
    >>> batches = balanced_indices(seed=1, labels=labels, size=64, shares=4)
    >>> [np.bincount(labels[batches(step)][share::4]).tolist() for step in (0, 7) for share in (0, 3)]
    [[8, 8], [8, 8], [8, 8], [8, 8]]
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    size = min(size, len(labels))
    shares, classes = min(shares, size), len(members)
    places = -(-size // shares)  # of a share, in one step
    apart = -(-classes // shares)  # shares begin their turns with different classes
    sizes = np.array([len(own) for own in members])
    lengths = (
        -(-sizes.max() // sizes) * sizes
    )  # of an epoch: whole repeats, as many as make it as long as any other
    place, share = np.divmod(np.arange(size), shares)

    @lru_cache(maxsize=2 * classes)
    def order(k: int, epoch: int) -> NDArray[np.int64]:
        return members[k][sample_order(seed, epoch, int(lengths[k])) % sizes[k]]

    def indices(step: int) -> NDArray[np.int64]:
        turn, k = np.divmod(step * places + place + share * apart, classes)
        epoch, number = np.divmod(turn * shares + share, lengths[k])
        chosen = np.empty(size, np.int64)
        for key in {*zip(k.tolist(), epoch.tolist(), strict=True)}:
            slots = (k == key[0]) & (epoch == key[1])
            chosen[slots] = order(*key)[number[slots]]
        return chosen

    return indices
