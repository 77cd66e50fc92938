"""The plan of a device that matches statistics while it uses a network: `.sft`, sections 7 and 11."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stepforward.arithmetic.matching import RULE, Reference, Rule
from stepforward.plan.model import StatePart, state_bytes

HEAD_BYTES, CHANNEL_BYTES = 4, 14
"""Of the state: the samples of all sites; each channel's two sums (4 and 4), bias (4) and ratio (2)."""


class PlannedSite(NamedTuple):
    """One operator that is matched: its place in the program, and its reference (`arithmetic.matching.Reference`)."""

    op: int
    distances: tuple[int, int]
    mean: tuple[int, ...]
    deviation: tuple[int, ...]

    @property
    def reference(self) -> Reference:
        """With arrays."""
        mean, deviation = (np.array(values, dtype=np.int64) for values in (self.mean, self.deviation))
        return Reference(mean, deviation, self.distances)

    @property
    def state_bytes(self) -> int:
        """Of its sums and constants, filled up to a multiple of 4."""
        return -(-CHANNEL_BYTES * len(self.mean) // 4) * 4


@dataclass(frozen=True)
class MatchingPlan:
    """A plan that moves no weights: which operators are matched, and how.

    Attributes:
        sites: operators in rising order.
        window: samples after which the sums are halved.
        rule: how much is corrected.
    """

    sites: tuple[PlannedSite, ...]
    window: int
    rule: Rule = RULE

    @property
    def state(self) -> tuple[StatePart, ...]:
        """Samples, and for each site its sums and constants; zeros are no samples and the base's constants."""
        return (StatePart("matching", 0, HEAD_BYTES + sum(site.state_bytes for site in self.sites)),)

    @property
    def state_bytes(self) -> int:
        """Bytes of the state."""
        return state_bytes(self.state)
