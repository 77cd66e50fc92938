"""Backpropagation: SGD with momentum in float32, the baseline that knows the gradient."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.step import rate
from stepforward.engines.protocol import Batch, GradientEngine
from stepforward.methods.protocol import Estimate, Estimator, Method, Rule, stateless
from stepforward.settings import Settings

Arrays = Mapping[str, NDArray[np.float32]]


def method(settings: Settings) -> Method[GradientEngine, Arrays]:
    """Steps against the gradient of the whole batch."""
    return Method(GRADIENT, sgd(settings))


def _gradient(state: Any, engine: GradientEngine, number: int, batch: Batch) -> tuple[Any, Estimate[Arrays]]:
    loss, gradients = engine.gradients(batch)
    return state, Estimate(gradients, loss, len(batch))


GRADIENT: Estimator[GradientEngine, Arrays] = Estimator(stateless, _gradient)
"""The gradient itself."""


def sgd(settings: Settings) -> Rule[GradientEngine, Arrays]:
    r"""The rule of SGD with momentum; its state is the velocity. Schedules are those of the contract, section 8.

    .. math::
        v \leftarrow \mu v + \nabla L(w), \qquad w \leftarrow w - \eta_t v
    """

    def step(velocity: Arrays, engine: GradientEngine, number: int, gradients: Arrays) -> Arrays:
        momentum = np.float32(settings.momentum)
        faster = {
            name: momentum * velocity.get(name, np.float32(0)) + gradient
            for name, gradient in gradients.items()
        }
        lr = settings.lr * rate(settings.schedule, number, settings.steps, settings.warmup) / 32768
        engine.apply({name: np.float32(-lr) * v for name, v in faster.items()})
        return faster

    return Rule(lambda engine: {}, step)
