"""Take validation samples out of the adaptation data."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.directions import sample_order
from stepforward.data.dataset import Dataset
from stepforward.errors import StepforwardError

_SPLIT_EPOCH = 0xFFFFFFFF  # no training run gets that far, so its order is free for the split


class Split(NamedTuple):
    """Sample numbers, int64, ascending."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split(dataset: Dataset, fraction: float, seed: int) -> Split:
    """Divide the samples class by class; the same seed gives the same split on every machine.

    Of each class with n samples, `round(n * fraction)` go to validation: at least one if n > 1, never all.
    The choice is made by the contract's sample order of epoch 2^32 - 1 (docs/arithmetic.md, section 9).

    Args:
        fraction: share of validation samples, at least 0 and below 1; 0 means no validation.

    Raises:
        StepforwardError: the fraction is out of range, or every class has one sample only.
    """
    if not 0 <= fraction < 1:
        raise StepforwardError(f"validation fraction {fraction} is not in [0, 1)", "use 0.2, or 0 for none")
    everything = np.arange(len(dataset), dtype=np.int64)
    if fraction == 0:
        return Split(everything, everything[:0])
    order = sample_order(seed, _SPLIT_EPOCH, len(dataset))
    chosen = np.zeros(len(dataset), dtype=bool)
    for label in np.unique(dataset.y):
        members = order[dataset.y[order] == label]
        wanted = max(1, round(len(members) * fraction))
        chosen[members[: min(wanted, len(members) - 1)]] = True
    if not chosen.any():
        raise StepforwardError(
            "no validation samples can be taken: every class has one sample only",
            "add samples: at least two of a class, better five to ten of each",
        )
    return Split(everything[~chosen], everything[chosen])
