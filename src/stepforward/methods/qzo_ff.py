"""QZO-FF: sign-m-SPSA with SGD in fixed point ("Stepping Forward on the Last Mile", NeurIPS 2024)."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from stepforward.engines.protocol import Engine, Perturbation


class Step(NamedTuple):
    """One step that was taken: its number, m votes, 2m losses (summed over the batch), samples in the batch."""

    number: int
    votes: tuple[int, ...]
    losses: tuple[int, ...]
    samples: int


def sign(value: int) -> int:
    """-1, 0 or +1."""
    return (value > 0) - (value < 0)


def qzo_ff(
    engine: Engine, batches: Callable[[int], tuple], steps: Sequence[int], directions: int
) -> Iterator[Step]:
    r"""Take steps along random directions, forward passes only.

    .. math::
        v_i = \mathrm{sign}(L(w + \epsilon z_i) - L(w - \epsilon z_i)), \qquad
        w \leftarrow w - \eta \, \frac{1}{m} \sum_{i=1}^{m} v_i z_i

    Everything is an integer: the losses, the votes, the weights (contract, sections 5 to 8). The directions, epsilon
    and the learning rate belong to the engine's training plan.

    Args:
        engine: made for one program and one training plan.
        batches: gives the samples and labels (x, y) of a step number.
        steps: step numbers to take, such as `range(2000)`, or `range(800, 2000)` to go on.
        directions: m of sign-m-SPSA; each costs two forward passes.

    Yields:
        Each step after the weights have moved.
    """
    for number in steps:
        x, y = batches(number)
        probes = [Perturbation(number, i, side) for i in range(directions) for side in (+1, -1)]
        losses = engine.losses(x, y, probes)
        votes = tuple(sign(up - down) for up, down in zip(losses[::2], losses[1::2], strict=True))
        engine.update(number, votes)
        yield Step(number, votes, tuple(losses), len(y))
