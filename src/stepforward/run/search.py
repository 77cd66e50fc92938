"""A short search, forward passes only, for the epsilon and the learning rate of a run (docs/learning.md)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch
from stepforward.methods.trials import both_sides
from stepforward.plan.make import fitting, for_training
from stepforward.plan.masks import masked
from stepforward.plan.model import Mask
from stepforward.plan.quanta import quanta
from stepforward.program.model import Program
from stepforward.run.bias_sizes import measured
from stepforward.scores import NATS
from stepforward.settings import TABLE, Settings

NOISE = 4.4
"""What the noise of all steps together may add to the loss, in nats, times 16 / 3; see `rate`."""

OF_BIASES = 4
"""Times as much noise where biases have measured sizes: chosen with the epsilon below, on the choosing tasks."""

EPSILON_OF_BIASES = 0.15
"""The usual epsilon there, in place of a twentieth: about a quantum of an output, next to which rounding is small."""

OF_A_SOLUTION = 0.5
"""Of the way to the solution a step of curved votes goes at first: a few samples only say so much of where it is."""

SHARE = 0.05
"""Of the forward passes of the run, at most."""

MOST_DIRECTIONS, MOST_SAMPLES = 16, 256
_LEAST_DIRECTIONS, _MOST_TRIES = 4, 3
FIRST_NUMBER = 2**32 - 256  # of steps that no run takes
FURTHEST = 1 / 8
"""How far one step may move a weight of one tensor's size."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found, and what it saw.

    Attributes:
        epsilon, lr: of the run, in shares of each tensor's size.
        loss: before the run, mean nats per sample.
        slope: root mean square of the loss's change along a direction of length epsilon, nats.
        curvature: mean second difference along such a direction, nats; `curvature_error` is its standard error.
        directions, samples: that it was measured on.
        forward_passes: that it took.
    """

    epsilon: float
    lr: float
    loss: float
    slope: float
    curvature: float
    curvature_error: float
    directions: int
    samples: int
    forward_passes: int

    @property
    def told(self) -> str:
        """One line for people."""
        return (
            f"epsilon {self.epsilon:.2g} and learning rate {self.lr:.2g} found by {self.forward_passes:,} forward "
            f"passes: along a probe the loss of {self.loss:.2f} nats rises or falls by {self.slope:.2g} and bends by "
            f"{self.curvature:.2g}"
        )


@dataclass(frozen=True)
class _Seen:
    slope: float
    curvature: float
    error: float
    loss: float


def search(
    program: Program,
    trainable: Sequence[int],
    settings: Settings,
    samples: tuple[NDArray, NDArray],
    threads: int | None = None,
    masks: Mapping[int, Mask] | None = None,
) -> tuple[Settings, Found | None]:
    """The settings with the values found that stand as automatic; unchanged, and None, where there are none. Where only
    an exact tail moves there is nothing to probe, and they get their usual values.

    Epsilon is the usual share of the weights' size, halved while losses along a probe bend much more than they rise
    (their difference then says little of the slope), but at least half a quantum of most weights. The learning rate
    follows from curvature (`rate`). Where biases move and nothing else, their sizes are measured first
    (`run.bias_sizes`).

    Args:
        program: with the weights that the run starts from.
        trainable: parameters that move.
        settings: of the run, with its number of steps.
        samples: that train, and their labels.
        threads: of the core.
        masks: of the tensors that votes move, where the settings do not say them.
    """
    settings, spent = measured(program, trainable, settings, samples, FIRST_NUMBER + 1, threads)
    if not settings.automatic:
        return settings, None
    usual = fitting(program, trainable, settings.searched())
    if not for_training(program, trainable, usual)[1].voted:
        return usual, None
    x, y = samples
    budget = (SHARE * settings.steps * settings.passes(len(y)) - spent) / _MOST_TRIES
    count = min(len(y), MOST_SAMPLES)
    directions = max(_LEAST_DIRECTIONS, min(MOST_DIRECTIONS, int(budget / count - 1) // 2))
    count = max(1, min(count, int(budget / (2 * directions + 1))))
    used = Batch.of(x[:count], y[:count])
    usual_epsilon = EPSILON_OF_BIASES if spent else _least(program, trainable, settings)
    epsilon, passes = settings.epsilon or usual_epsilon, spent
    for tries in range(1, _MOST_TRIES + 1):
        tried = fitting(program, trainable, replace(settings, epsilon=epsilon, lr=1e-6))
        seen = _seen(program, trainable, tried, used, directions, threads, masks or {})
        passes += (2 * directions + 1) * len(used)
        if seen.curvature <= 4 * seen.slope or settings.epsilon or tries == _MOST_TRIES:
            break
        epsilon /= 2
    # where few probes say little of the curvature, what it may well be
    lr = settings.lr or rate(settings, max(seen.curvature, 2 * seen.error) / tried.epsilon**2)
    if settings.votes == "curved" and not settings.lr:
        lr = OF_A_SOLUTION * tried.epsilon
    found = fitting(program, trainable, replace(settings, epsilon=tried.epsilon, lr=lr))
    return found, Found(
        epsilon=found.epsilon,
        lr=found.lr,
        loss=seen.loss,
        slope=seen.slope,
        curvature=seen.curvature,
        curvature_error=seen.error,
        directions=directions,
        samples=len(used),
        forward_passes=passes,
    )


def rate(settings: Settings, curvature: float) -> float:
    r"""The peak learning rate for which the noise of all steps adds a fixed amount to the loss.

    A step of rate :math:`\eta` along m directions moves the weights by :math:`\eta / \sqrt m` in a direction that is
    mostly noise, which adds :math:`\eta^2 \, \mathrm{tr} H / 2 m` to the loss; T steps under a cosine add three eighths
    of T times that.

    .. math:: \eta = \sqrt{4.4 \, m / (T \, \mathrm{tr} H)}

    Biases with measured sizes take four times that noise.

    Args:
        settings: with steps, directions, momentum and sizes of biases.
        curvature: trace of the Hessian in units of the tensors' sizes, nats.
    """
    noise = NOISE * (OF_BIASES if settings.bias_factors else 1)
    lr = math.sqrt(noise * settings.directions / (settings.steps * max(curvature, 1e-9)))
    return (1 - settings.momentum) * min(lr, FURTHEST * math.sqrt(settings.directions))


def _least(program: Program, trainable: Sequence[int], settings: Settings) -> float:
    """The usual epsilon, or what moves half of the weights by half a quantum."""
    usual = TABLE["epsilon"].searched or 0.0
    _, plan = for_training(program, trainable, fitting(program, trainable, settings.searched()))
    probes = quanta(program, plan)  # in the order of the plan
    weighed = sorted(
        (probe, program.tensors[entry.tensor].elements)
        for entry, (probe, _) in zip(plan.voted, probes.values(), strict=True)
    )
    below = np.cumsum([elements for _, elements in weighed])
    probe, _ = weighed[int(np.searchsorted(below, below[-1] / 2))]
    return usual * max(1.0, 0.5 / probe) if probe else usual


def _seen(
    program: Program,
    trainable: Sequence[int],
    settings: Settings,
    samples: Batch,
    directions: int,
    threads: int | None,
    masks: Mapping[int, Mask],
) -> _Seen:
    """Slopes and curvatures along random directions, on all samples."""
    prepared, plan = for_training(program, trainable, settings)
    engine = CoreEngine(prepared, masked(plan, masks), threads=threads)
    count = len(samples)
    first, *_ = engine.losses(FIRST_NUMBER, samples, [PLAIN])
    losses = engine.losses(FIRST_NUMBER, samples, both_sides(count, directions, share_batch=False))
    up, down = (np.array(losses[side::2]) * NATS / count for side in (0, 1))
    base = first * NATS / count
    slopes, bends = (up - down) / 2, up + down - 2 * base
    return _Seen(
        slope=math.sqrt(float(np.mean(slopes**2))),
        curvature=float(np.mean(bends)),
        error=float(np.std(bends, ddof=1)) / math.sqrt(directions),
        loss=base,
    )
