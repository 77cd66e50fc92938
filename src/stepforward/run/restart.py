"""What a run tells of its restart."""

from dataclasses import dataclass

from stepforward.run.training import Run
from stepforward.run.tried import at_temperature


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A run that began once more, with an exact tail that learns more slowly.

    Attributes:
        step: after which it did.
        tail_share: of the tail's rate before, the share that it had then.
        loss_before, loss_after: the lowest held-out loss of either part, mean nats at `temperature`.
        kept: whether the weights that are kept came after it.
    """

    step: int
    tail_share: float
    loss_before: float
    loss_after: float
    kept: bool
    temperature: float

    @property
    def told(self) -> str:
        """One line for people."""
        loss = f"lowest held-out loss{at_temperature(self.temperature)}"
        return (
            f"after step {self.step:,} the run restarted from its beginning, the last layers at {self.tail_share:g} of "
            f"their rate, so that others have time to move before the samples that train are fitted: {loss} "
            f"{self.loss_before:.2f} nats before it, {self.loss_after:.2f} after it; the weights from "
            f"{'after' if self.kept else 'before'} it are kept"
        )


def restart_of(run: Run, temperature: float) -> Restart | None:
    """What came of the restart of a run, held-out losses at `temperature`; None where there was none."""
    if run.restart is None:
        return None
    first = run.restart.first
    before, after = (
        min(
            row.validation_loss
            for row in run.curve
            if (row.step > first) == later and row.validation_loss is not None
        )
        for later in (False, True)
    )
    return Restart(
        step=first,
        tail_share=run.restart.tail,
        loss_before=before,
        loss_after=after,
        kept=run.best.step > first,
        temperature=temperature,
    )
