"""QZO-FF: sign-m-SPSA with SGD in fixed point ("Stepping Forward on the Last Mile", NeurIPS 2024)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from stepforward.engines.protocol import Batch, Engine
from stepforward.methods.probes import probe
from stepforward.methods.protocol import Estimate, Estimator, Method, stateless
from stepforward.methods.votes import VOTES
from stepforward.scores import NATS
from stepforward.settings import Settings


def method(settings: Settings) -> Method[Engine, Sequence[int]]:
    r"""Steps along random directions, forward passes only.

    .. math::
        v_i = \mathrm{sign}(L(w + \epsilon z_i) - L(w - \epsilon z_i)), \qquad
        w \leftarrow w - \eta \, \frac{1}{m} \sum_{i=1}^{m} v_i z_i

    Everything is an integer: the losses, the votes, the weights (contract, sections 5 to 8). The directions, epsilon
    and the learning rate belong to the engine's training plan.

    With a shared batch each direction has losses of its own on every m-th sample only: m votes for the forward passes
    of one.
    """
    return Method(sign_spsa(settings.directions, settings.share_batch), VOTES)


def sign_spsa(directions: int, share_batch: bool) -> Estimator[Engine, Sequence[int]]:
    """Votes: on which side of the weights the loss is larger, along each of m directions; or by how much, if graded; or
    how far to go, if curved."""

    def step(state: Any, engine: Engine, number: int, batch: Batch) -> tuple[Any, Estimate[Sequence[int]]]:
        if engine.plan is not None and engine.plan.curve is not None:
            sums, curved = engine.curved(number, batch)
            passes = len(sums) * len(batch)
            return state, Estimate(curved, sum(sums) * NATS / passes, passes, tuple(sums))
        found = probe(engine, number, batch, directions, share_batch)
        votes = engine.votes(found.sums)
        return state, Estimate(votes, found.nats, found.forward_passes, found.sums, engine.vote_scale)

    return Estimator(stateless, step)


class Step(NamedTuple):
    """One step that was taken: its number, m votes, 2m losses, samples sent forward to get them.

    A loss is a sum: over the batch, or over the direction's share of it.
    """

    number: int
    votes: tuple[int, ...]
    losses: tuple[int, ...]
    forward_passes: int


def qzo_ff(
    engine: Engine,
    batches: Callable[[int], Batch],
    steps: Iterable[int],
    directions: int,
    share_batch: bool = False,
) -> Iterator[Step]:
    """The loop by itself, without a journal.

    Args:
        engine: made for one program and one training plan.
        batches: gives the samples and labels of a step number.
        steps: step numbers to take, such as `range(2000)`, or `range(800, 2000)` to continue.
        directions: m of sign-m-SPSA; each costs two forward passes, over the batch or over its share.
        share_batch: whether each direction is tried on its own share of the batch.

    Yields:
        Each step after the weights have moved.
    """
    estimator = sign_spsa(directions, share_batch)
    for number in steps:
        _, found = estimator.step(None, engine, number, batches(number))
        engine.update(number, found.move)
        yield Step(number, tuple(found.move), found.losses, found.forward_passes)
