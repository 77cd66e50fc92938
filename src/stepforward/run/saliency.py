"""Saliency masks: a few probes before the first step say which weights a sparse run moves (contract, section 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.saliency import FIRST_STEP, MOST_STEPS, least_slope, probe_votes, slopes
from stepforward.core.directions import drawn
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.journal import Journal
from stepforward.methods.probes import passes_of
from stepforward.methods.trials import both_sides
from stepforward.plan.make import fitting, for_training
from stepforward.plan.masks import need_some, of_bits
from stepforward.plan.model import Mask, TrainingPlan, elements_of
from stepforward.program.model import Program
from stepforward.run.batches import batches_of
from stepforward.settings import Settings

SHARE = 20
"""Steps of a run for each step of probes."""

Masks = Mapping[int, Mask]
"""By the index of the tensor."""


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """What people read of the probes.

    Attributes:
        probes: how many there were.
        moving: weights that move, of `voted`.
        forward_passes: samples sent through the network; 0 where a journal had the votes.
    """

    probes: int
    moving: int
    voted: int
    forward_passes: int

    @property
    def told(self) -> str:
        """One line for people."""
        return f"{self.moving:,} of {self.voted:,} weights move, those that {self.probes:,} probes found most salient"


class Salient(NamedTuple):
    """Which weights move.

    Attributes:
        votes: of the probes, as a journal records them; none where nothing was sought.
        masks: made of them.
        told: what people read, or None.
    """

    votes: tuple[int, ...] = ()
    masks: Masks = MappingProxyType({})
    told: Saliency | None = None


def seek(
    program: Program,
    trainable: Sequence[int],
    settings: Settings,
    samples: tuple[NDArray, NDArray],
    recorded: Journal | None = None,
) -> Salient:
    """The masks of a run with `--mask saliency`; none of any other, and where votes move nothing.

    Probes are the directions of a run's first steps on its first batches, but of other step numbers.

    Args:
        program: with the weights that the run starts from.
        trainable: parameters that move.
        settings: of the run, as they were given.
        samples: that train, and their labels.
        recorded: the journal of a run that is resumed.

    Raises:
        StepforwardError: nothing would move.
    """
    if not (settings.sparsity and settings.mask == "saliency"):
        return Salient()
    everything = replace(
        settings, sparsity=0.0, guide=0.0, sharpness=0, lr=0.0 if settings.automatic else settings.lr
    )
    fit = fitting(program, trainable, everything)
    trained, plan = for_training(program, trainable, fit)
    if not plan.voted:
        return Salient()
    passes = 0
    if recorded is not None and recorded.probes:
        votes = recorded.probes
    else:
        votes, passes = _probe(trained, plan, settings, samples)
    masks = masks_of(plan, settings, votes)
    return Salient(votes, masks, Saliency(
        probes=len(votes),
        moving=sum(sum(map(int.bit_count, mask.words)) for mask in masks.values()),
        voted=plan.voted_elements,
        forward_passes=passes,
    ))  # fmt: skip


def _probe(
    program: Program, plan: TrainingPlan, settings: Settings, samples: tuple[NDArray, NDArray]
) -> tuple[tuple[int, ...], int]:
    """Votes, and samples sent through the network."""
    (x, y), m = samples, settings.directions
    shares = m if settings.share_batch else 1
    indices = batches_of(settings.seed, y, settings.batch, settings.balance, shares)
    engine = CoreEngine(program, plan, threads=settings.threads, memory=settings.memory)
    losses: list[int] = []
    passes = 0
    for step in range(max(1, min(settings.steps // SHARE, MOST_STEPS))):
        batch = Batch.of(x[indices(step)], y[indices(step)])
        trials = both_sides(len(batch), m, settings.share_batch)
        losses += engine.losses(FIRST_STEP + step, batch, trials)
        passes += passes_of(trials, batch)
    return probe_votes(losses), passes


def masks_of(plan: TrainingPlan, settings: Settings, votes: Sequence[int]) -> Masks:
    """The mask of each tensor that votes move: its weights of the steepest slopes among all.

    Raises:
        StepforwardError: nothing would move.
    """
    sizes = [
        np.abs(
            slopes(
                drawn,
                plan.distribution,
                plan.seed,
                entry.tensor,
                elements_of(plan, i),
                votes,
                plan.directions,
            )
        )
        for i, entry in enumerate(plan.voted)
    ]
    count = round((1 - settings.sparsity) * plan.voted_elements)
    cut = least_slope(np.concatenate(sizes), count)
    kept = [size >= cut for size in sizes]
    need_some(sum(int(mask.sum()) for mask in kept), plan.voted_elements, settings)
    return {entry.tensor: of_bits(mask) for entry, mask in zip(plan.voted, kept, strict=True)}
