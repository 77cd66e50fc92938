"""Probes that say how large each bias is, where biases move and nothing else (docs/learning.md)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.methods.trials import both_sides
from stepforward.plan.make import fitting, for_training
from stepforward.plan.sizes import biases
from stepforward.program.model import Program
from stepforward.settings import Settings

SHARE = 0.0125
"""Of the forward passes of the run, at most."""

EPSILON = 0.2
"""Of these probes: one or two quanta of an output, because losses of single samples are compared."""

FEWEST, MOST = 8, 128
"""Samples of each bias; with fewer there is nothing to say."""

FARTHEST = 8.0
"""No bias gets a size of more than so many times the mean, or less than one over that."""


def measured(
    program: Program,
    trainable: Sequence[int],
    settings: Settings,
    samples: tuple[NDArray, NDArray],
    first_number: int,
    threads: int | None = None,
) -> tuple[Settings, int]:
    """The settings with sizes of biases, and the forward passes that it took; with those of the range, and no passes,
    where weights move too, the learning rate was given in shares of these, or the run is too short.

    Each bias is tried alone, each sample along a direction of its own: the mean square of the slopes is the trace of
    the Fisher information in the units of the sizes. With the sizes found it is the same for every number of every
    bias, and for all together what it was before.

    Args:
        program, trainable, settings: of the run.
        samples: that train, and their labels.
        first_number: of steps that no run takes, for the directions.
        threads: of the core.
    """
    if settings.bias_sizes != "auto":
        return settings, 0
    plain = replace(settings, bias_sizes="range")
    own = [program.tensors[index] for index in trainable]
    if settings.lr or settings.sizes == "absolute" or len(own) < 2 or any(t.dtype != "s32" for t in own):
        return plain, 0
    x, y = samples
    most = int(SHARE * settings.steps * settings.passes(len(y)) / (2 * len(own)))
    count = min(most, len(y), MOST)
    if count < FEWEST:
        return plain, 0
    used = Batch.of(x[:count], y[:count])
    found = {index: _slope(program, index, plain, used, first_number, threads) for index in trainable}
    if not all(found.values()):
        return plain, 0
    numbers = {index: program.tensors[index].elements for index in trainable}
    inverse = {index: math.sqrt(numbers[index]) / slope for index, slope in found.items()}
    mean = math.exp(sum(map(math.log, inverse.values())) / len(inverse))
    bounded = {index: min(max(value / mean, 1 / FARTHEST), FARTHEST) for index, value in inverse.items()}
    before = sum(slope**2 for slope in found.values())
    after = sum((found[index] * value) ** 2 for index, value in bounded.items())
    factors = [bounded.get(index, 1.0) * math.sqrt(before / after) for index in biases(program)]
    text = ",".join(f"{factor:.3g}" for factor in factors)
    return replace(settings, bias_sizes=text), 2 * count * len(own)


def _slope(
    program: Program, index: int, settings: Settings, samples: Batch, number: int, threads: int | None
) -> float:
    """Root mean square of the slopes of the losses of single samples along directions of one tensor."""
    count = len(samples)
    alone = replace(
        settings,
        directions=count,
        epsilon=EPSILON,
        lr=1e-6,
        votes="sign",
        tail="votes",
        sparsity=0.0,
        guide=0.0,
    )
    alone = fitting(program, [index], alone)
    prepared, plan = for_training(program, [index], alone)
    engine = CoreEngine(prepared, plan, threads=threads)
    losses = np.array(
        engine.losses(number, samples, both_sides(count, count, share_batch=True)), dtype=np.int64
    )
    slopes = (losses[::2] - losses[1::2]) / alone.epsilon
    return math.sqrt(float(np.mean(slopes**2)))
