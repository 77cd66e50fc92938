"""Losses at both sides of the weights, along every direction of a step."""

from typing import NamedTuple

from stepforward.engines.protocol import PLAIN, Batch, Engine, Trial
from stepforward.methods.trials import both_sides, uphill_sides
from stepforward.scores import NATS


class Probes(NamedTuple):
    """What probing a batch gave.

    Attributes:
        losses: (up, down) for each direction: sums over the batch, or over the direction's share of it, exact.
        forward_passes: samples sent forward.
        nats: mean loss per sample in nats.
    """

    losses: tuple[tuple[int, int], ...]
    forward_passes: int
    nats: float

    @property
    def sums(self) -> tuple[int, ...]:
        """The losses in the order of the trials."""
        return tuple(loss for pair in self.losses for loss in pair)


def probe(engine: Engine, number: int, batch: Batch, directions: int, share_batch: bool) -> Probes:
    """Try every direction of a step on both sides; the weights stay as they are.

    An exact tail gathers its gradient from the same samples. Where nothing else moves there is nothing to try: one
    pass, and both sides of every direction alike. A sharpness-aware plan first moves the weights uphill.

    Args:
        engine: made for one program and one training plan, to which epsilon and the directions' seed belong.
        number: of the step.
        batch: samples and labels.
        directions: m; each costs two forward passes, over the batch or over its share.
        share_batch: whether each direction is tried on its own share of the batch: every m-th sample.
    """
    plan = engine.plan
    gathers, votes = plan is not None and plan.tail is not None, plan is None or bool(plan.voted)
    ascent, climbing = 0, 0
    if plan is not None and plan.sharpness and votes:
        sides = uphill_sides(len(batch), directions, share_batch)
        up, down = engine.losses(number, batch, sides)
        ascent, climbing = (plan.sharpness if up >= down else -plan.sharpness), passes_of(sides, batch)
    trials = both_sides(len(batch), directions, share_batch, ascent) if votes else [PLAIN]
    sums = engine.losses(number, batch, trials, gathers)
    passes = passes_of(trials, batch)
    pairs = tuple(zip(sums[::2], sums[1::2], strict=True)) if votes else ((sums[0], sums[0]),) * directions
    return Probes(pairs, passes + climbing, sum(sums) * NATS / passes)


def passes_of(trials: list[Trial], batch: Batch) -> int:
    """Samples sent through the network for some trials on a batch."""
    return sum(len(range(len(batch))[trial.rows]) for trial in trials)
