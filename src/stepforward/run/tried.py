"""What a run tells of something that it tried before its first step."""

from dataclasses import dataclass, replace
from typing import Self

from stepforward.scores import Score


def at_temperature(temperature: float) -> str:
    """What to add to the name of a loss, so that it says what it is of.

    >>> at_temperature(1), at_temperature(2.0)
    ('', ' at temperature 2')
    """
    return "" if temperature == 1 else f" at temperature {temperature:g}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What people read of something that was tried on held-out samples before the first step.

    Attributes:
        kept: what the run begins with, or "base: " and why.
        loss_before, loss_after: of held-out samples, mean nats at `temperature`; None where nothing was tried.
        accuracy_before, accuracy_after: of them.
        forward_passes: samples sent through the network for it, each as a whole.
        temperature: at which losses are measured, that of what chooses the weights.
    """

    kept: str
    loss_before: float | None = None
    loss_after: float | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    forward_passes: int = 0
    temperature: float = 1.0

    @property
    def told(self) -> str:
        """One line for people."""
        return self._in_one_line(self.kept)

    def scored(self, before: Score, after: Score) -> Self:
        """The same with what held-out samples said, before and after."""
        return replace(
            self,
            loss_before=before.nats,
            loss_after=after.nats,
            accuracy_before=before.accuracy,
            accuracy_after=after.accuracy,
        )

    def _in_one_line(self, kept: str) -> str:
        if self.loss_before is None or self.loss_after is None:
            return kept
        return (
            f"{kept}; it takes the loss of held-out samples{at_temperature(self.temperature)} from "
            f"{self.loss_before:.2f} to {self.loss_after:.2f} nats, in {self.forward_passes:,} forward passes"
        )
