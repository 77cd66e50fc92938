"""The range of an activation from what calibration saw: largest, percentile or least squared error."""

from dataclasses import dataclass, field

import numpy as np

BINS = 2048
"""Bins of a histogram of magnitudes: eight per step of an 8-bit format."""


@dataclass
class Extremes:
    """Smallest and largest value seen."""

    lo: float = np.inf
    hi: float = -np.inf

    def see(self, values: np.ndarray) -> None:
        """Take in one block of values."""
        self.lo = min(self.lo, float(values.min()))
        self.hi = max(self.hi, float(values.max()))

    @property
    def magnitude(self) -> float:
        """The largest |value| seen."""
        return max(abs(self.lo), abs(self.hi))


@dataclass
class Histogram:
    """Counts of |value| in `BINS` equal bins from 0 to `limit`."""

    limit: float
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def see(self, values: np.ndarray) -> None:
        """Take in one block of values, none beyond the limit."""
        index = (np.abs(values) * np.float32(BINS / self.limit)).astype(np.int32).ravel()
        self.counts += np.bincount(np.minimum(index, BINS - 1), minlength=BINS)


def percentile_magnitude(histogram: Histogram, percentile: float) -> float:
    """The magnitude that `percentile` percent of the values do not exceed (upper edge of its bin)."""
    reached = np.cumsum(histogram.counts) >= percentile / 100 * histogram.counts.sum()
    return (int(np.argmax(reached)) + 1) * histogram.limit / BINS


def mse_magnitude(histogram: Histogram, steps: int) -> float:
    """The range whose grid of `steps` positive steps has the least squared error, from 5 % to 100 %."""
    centres = (np.arange(BINS) + 0.5) * (histogram.limit / BINS)
    candidates = histogram.limit * np.linspace(0.05, 1.0, 96)
    errors = [
        float(
            (
                histogram.counts
                * (centres - np.minimum(np.rint(centres * steps / top), steps) * top / steps) ** 2
            ).sum()
        )
        for top in candidates
    ]
    # The last of equal errors: a wider range costs nothing then.
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))
    return float(candidates[best])
