"""Losses at both sides of the weights, along every direction of a step."""

from typing import NamedTuple

from stepforward.engines.protocol import Batch, Engine
from stepforward.methods.trials import both_sides
from stepforward.scores import NATS


class Probes(NamedTuple):
    """What probing a batch gave.

    Attributes:
        losses: (up, down) for each direction: sums over the batch, or over the direction's share of it, exact.
        forward_passes: samples sent forward.
    """

    losses: tuple[tuple[int, int], ...]
    forward_passes: int

    @property
    def sums(self) -> tuple[int, ...]:
        """The losses in the order of the trials."""
        return tuple(loss for pair in self.losses for loss in pair)

    @property
    def nats(self) -> float:
        """Mean loss per sample in nats."""
        return sum(self.sums) * NATS / self.forward_passes


def probe(engine: Engine, number: int, batch: Batch, directions: int, share_batch: bool) -> Probes:
    """Try every direction of a step on both sides; the weights stay as they are.

    Args:
        engine: made for one program and one training plan, to which epsilon and the directions' seed belong.
        number: of the step.
        batch: samples and labels.
        directions: m; each costs two forward passes, over the batch or over its share.
        share_batch: whether each direction is tried on its own share of the batch: every m-th sample.
    """
    trials = both_sides(len(batch), directions, share_batch)
    losses = engine.losses(number, batch, trials)
    passes = sum(len(range(len(batch))[trial.rows]) for trial in trials)
    return Probes(tuple(zip(losses[::2], losses[1::2], strict=True)), passes)
