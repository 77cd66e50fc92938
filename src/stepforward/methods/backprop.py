"""Backpropagation: SGD with momentum in float32, the baseline that knows the gradient."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.step import rate


class GradientEngine(Protocol):
    """What backpropagation needs of an engine; `engines.torch.TorchEngine` is one."""

    trainable: tuple[str, ...]

    def gradients(self, x: NDArray, y: NDArray) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """Mean loss of a batch, and the gradient of each trainable parameter."""
        ...

    def move(self, steps: Mapping[str, NDArray[np.float32]]) -> None:
        """Add an array to each parameter named."""
        ...


class SgdSettings(NamedTuple):
    """Settings of SGD; the schedules are those of QZO-FF (contract, section 8)."""

    steps: int
    lr: float
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup: int = 0


class Step(NamedTuple):
    """One step that was taken: its number, the mean loss of the batch in nats, samples in the batch."""

    number: int
    loss: float
    samples: int


def backprop(
    engine: GradientEngine, batches: Callable[[int], tuple], steps: Sequence[int], settings: SgdSettings
) -> Iterator[Step]:
    r"""Take steps against the gradient.

    .. math::
        v \leftarrow \mu v + \nabla L(w), \qquad w \leftarrow w - \eta_t v

    Args:
        engine: holds the weights.
        batches: gives the samples and labels (x, y) of a step number.
        steps: step numbers to take, such as `range(settings.steps)`.

    Yields:
        Each step after the weights have moved.
    """
    velocity: dict[str, NDArray[np.float32]] = {}
    for number in steps:
        x, y = batches(number)
        loss, gradients = engine.gradients(x, y)
        for name, gradient in gradients.items():
            velocity[name] = np.float32(settings.momentum) * velocity.get(name, np.float32(0)) + gradient
        lr = settings.lr * rate(settings.schedule, number, settings.steps, settings.warmup) / 32768
        engine.move({name: np.float32(-lr) * v for name, v in velocity.items()})
        yield Step(number, loss, len(y))
