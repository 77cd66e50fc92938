"""Two-point SPSA in integers: a vote is the difference of two losses, not only its sign.

The difference is divided by a power of two and limited to an s8: one unit is 2^-10 bits of loss per sample.
"""

from collections.abc import Sequence
from typing import Any

from stepforward.engines.protocol import Batch, Engine
from stepforward.methods.probes import probe
from stepforward.methods.protocol import Estimate, Estimator, Method, stateless
from stepforward.methods.votes import VOTES
from stepforward.settings import Settings


def method(settings: Settings) -> Method[Engine, Sequence[int]]:
    """What the table of methods calls."""

    def step(state: Any, engine: Engine, number: int, batch: Batch) -> tuple[Any, Estimate[Sequence[int]]]:
        found = probe(engine, number, batch, settings.directions, settings.share_batch)
        samples = found.forward_passes // len(found.sums)  # in each of the losses
        votes = tuple(vote(up - down, samples) for up, down in found.losses)
        return state, Estimate(votes, found.nats, found.forward_passes, found.sums)

    return Method(Estimator(stateless, step), VOTES)


def vote(difference: int, samples: int) -> int:
    """A difference of summed losses, in units of 2^-16 bits, as an s8."""
    shift = samples.bit_length() + 5
    rounded = (difference + (1 << (shift - 1))) >> shift
    return max(-127, min(127, rounded))
