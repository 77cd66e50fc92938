"""What a method is: an estimator, which asks an engine where to move, and a rule, which has the engine move there.

Each is a pure pair: `init` makes a state, `step` takes one and gives the next. The weights are the engine's.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from stepforward.engines.protocol import Batch

E = TypeVar("E")
"""The engine a method needs: `engines.protocol.Engine`, or one with gradients."""

M = TypeVar("M")
"""What an estimator gives and a rule takes: votes, or gradients by name."""


class Estimate(NamedTuple, Generic[M]):
    """What an estimator found in one step.

    Attributes:
        move: votes from -128 to 127, one per direction, which the journal records; or gradients by name.
        loss: of the batch, mean nats per sample.
        forward_passes: samples sent forward to find it.
        losses: exact sums that it was found from, in the order of the trials; empty for float engines.
        scale: what graded votes are measured by after this step, which the journal records; 0 for others.
    """

    move: M
    loss: float
    forward_passes: int
    losses: tuple[int, ...] = ()
    scale: int = 0


class Estimator(NamedTuple, Generic[E, M]):
    """Asks an engine for losses or gradients. A resumed run starts its state afresh: the journal holds moves, and the
    scale of graded votes, which is the engine's."""

    init: Callable[[E], Any]
    step: Callable[[Any, E, int, Batch], tuple[Any, Estimate[M]]]
    """(state, engine, step number, batch) -> (state, estimate); the weights stay as they are."""


class Rule(NamedTuple, Generic[E, M]):
    """Applies moves. Replaying the moves of a journal repeats its states and the weights, bit for bit."""

    init: Callable[[E], Any]
    step: Callable[[Any, E, int, M], Any]
    """(state, engine, step number, move) -> state; the engine's weights move."""


class Method(NamedTuple, Generic[E, M]):
    """An estimator and a rule that take the same engine and speak of the same moves."""

    estimator: Estimator[E, M]
    rule: Rule[E, M]


def stateless(engine: Any) -> None:
    """The `init` of what keeps nothing between steps."""


def take(
    method: Method[E, M], engine: E, batches: Callable[[int], Batch], numbers: Iterable[int]
) -> Iterator[Estimate[M]]:
    """Take steps, without a journal; each is given after the weights have moved.

    Args:
        method: what to do.
        engine: holds the weights.
        batches: gives the samples and labels of a step number.
        numbers: of the steps to take, such as `range(2000)`.
    """
    asking, moving = method.estimator.init(engine), method.rule.init(engine)
    for number in numbers:
        asking, estimate = method.estimator.step(asking, engine, number, batches(number))
        moving = method.rule.step(moving, engine, number, estimate.move)
        yield estimate
