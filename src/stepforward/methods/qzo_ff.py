"""QZO-FF: sign-m-SPSA with SGD in fixed point ("Stepping Forward on the Last Mile", NeurIPS 2024)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from stepforward.engines.protocol import Engine, Perturbation


class Step(NamedTuple):
    """One step that was taken: its number, m votes, 2m losses, samples sent forward to get them.

    A loss is a sum: over the batch, or over the direction's share of it.
    """

    number: int
    votes: tuple[int, ...]
    losses: tuple[int, ...]
    forward_passes: int


def sign(value: int) -> int:
    """-1, 0 or +1."""
    return (value > 0) - (value < 0)


def qzo_ff(
    engine: Engine,
    batches: Callable[[int], tuple],
    steps: Sequence[int],
    directions: int,
    share_batch: bool = False,
) -> Iterator[Step]:
    r"""Take steps along random directions, forward passes only.

    .. math::
        v_i = \mathrm{sign}(L(w + \epsilon z_i) - L(w - \epsilon z_i)), \qquad
        w \leftarrow w - \eta \, \frac{1}{m} \sum_{i=1}^{m} v_i z_i

    Everything is an integer: the losses, the votes, the weights (contract, sections 5 to 8). The directions, epsilon
    and the learning rate belong to the engine's training plan.

    With a shared batch each direction has losses of its own on every m-th sample only: m votes for the forward passes
    of one.

    Args:
        engine: made for one program and one training plan.
        batches: gives the samples and labels (x, y) of a step number.
        steps: step numbers to take, such as `range(2000)`, or `range(800, 2000)` to go on.
        directions: m of sign-m-SPSA; each costs two forward passes, over the batch or over its share.
        share_batch: whether each direction is tried on its own share of the batch.

    Yields:
        Each step after the weights have moved.
    """
    for number in steps:
        x, y = batches(number)
        losses, passes = [], 0
        for part, chosen in parts(len(y), directions, share_batch):
            probes = [Perturbation(number, i, side) for i in chosen for side in (+1, -1)]
            losses += engine.losses(x[part], y[part], probes)
            passes += len(y[part]) * len(probes)
        votes = tuple(sign(up - down) for up, down in zip(losses[::2], losses[1::2], strict=True))
        engine.update(number, votes)
        yield Step(number, votes, tuple(losses), passes)


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
