"""Losses at both sides of the weights, along every direction of a step."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stepforward.engines.protocol import Engine, Perturbation
from stepforward.methods.protocol import Batch
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
    x, y = batch
    losses: list[int] = []
    passes = 0
    for part, chosen in parts(len(y), directions, share_batch):
        probes = [Perturbation(number, i, side) for i in chosen for side in (+1, -1)]
        losses += engine.losses(x[part], y[part], probes)
        passes += len(y[part]) * len(probes)
    return Probes(tuple(zip(losses[::2], losses[1::2], strict=True)), passes)


def parts(samples: int, directions: int, share_batch: bool) -> Iterable[tuple[slice, Sequence[int]]]:
    """Which samples of a batch which directions are tried on (contract, section 8).

    >>> list(parts(10, 2, share_batch=False))
    [(slice(None, None, None), range(0, 2))]
    >>> list(parts(10, 2, share_batch=True))
    [(slice(0, None, 2), (0,)), (slice(1, None, 2), (1,))]
    """
    if not share_batch:
        return [(slice(None), range(directions))]
    return [(slice(i % samples, None, directions), (i,)) for i in range(directions)]
