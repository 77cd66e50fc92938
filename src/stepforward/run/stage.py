"""What people read of the first stage of a run."""

from dataclasses import dataclass

from stepforward.run.attempt import Attempt, SiteChange
from stepforward.run.tried import Tried


@dataclass(frozen=True, kw_only=True)
class Stage(Tried):
    """What people read of a first stage: "matched", or why the base was kept.

    Attributes:
        sites: one entry for each, in order; none where the model carries no statistics.
        constants_bytes: what the constants of the corrected sites take.
    """

    sites: tuple[SiteChange, ...] = ()
    constants_bytes: int = 0


def of_attempt(tried: Attempt, temperature: float) -> Stage:
    """What a matching on labelled samples came to; `temperature` of its losses."""
    stage = Stage(
        kept=tried.kept,
        sites=tried.changes,
        constants_bytes=tried.constants_bytes,
        forward_passes=tried.forward_passes,
        temperature=temperature,
    )
    return stage if tried.scores is None else stage.scored(*tried.scores)
