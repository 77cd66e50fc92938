"""What people read of the first stage of a run."""

from dataclasses import dataclass, replace

from stepforward.run.attempt import Attempt, SiteChange
from stepforward.run.tried import in_one_line


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What people read of a first stage.

    Attributes:
        kept: "matched", or "base: " and why.
        sites: one entry for each, in order; none where the model carries no statistics.
        loss_before, loss_after: of held-out samples, mean nats at `temperature`; None where nothing was tried.
        accuracy_before, accuracy_after: of them.
        constants_bytes: what the constants of the corrected sites take.
        forward_passes: samples sent through the network, each as a whole.
        temperature: at which losses are measured, that of what chooses the weights.
    """

    kept: str
    sites: tuple[SiteChange, ...] = ()
    loss_before: float | None = None
    loss_after: float | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    constants_bytes: int = 0
    forward_passes: int = 0
    temperature: float = 1.0

    @property
    def told(self) -> str:
        """One line for people."""
        return in_one_line(
            self.kept, self.loss_before, self.loss_after, self.forward_passes, self.temperature
        )


def of_attempt(tried: Attempt, temperature: float) -> Stage:
    """What a matching on labelled samples came to; `temperature` of its losses."""
    stage = Stage(
        kept=tried.kept,
        sites=tried.changes,
        constants_bytes=tried.constants_bytes,
        forward_passes=tried.forward_passes,
        temperature=temperature,
    )
    if tried.scores is None:
        return stage
    before, after = tried.scores
    return replace(
        stage,
        loss_before=before.nats,
        loss_after=after.nats,
        accuracy_before=before.accuracy,
        accuracy_after=after.accuracy,
    )
