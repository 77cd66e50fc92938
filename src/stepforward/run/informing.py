"""Steps after a matching, without labels: its constants move so that predictions say more about the samples (contract,
section 11)."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import curvature, information
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.loss import loss_rescale
from stepforward.arithmetic.matching import Constants, Reference
from stepforward.engines.before import run_before
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.matching.matched import matched
from stepforward.matching.moves import (
    Position,
    added,
    constants_at,
    drawn,
    origin,
    places,
    program_at,
    within,
)
from stepforward.program.cut import after, last_joint
from stepforward.program.model import Program
from stepforward.run.batches import batch_indices
from stepforward.run.progress import OnProgress, Progress
from stepforward.run.strengths import entropies_of
from stepforward.settings import Settings

EPSILON, OF_A_VOTE = 256, 4
"""How far a direction is tried, in 2^-12 of a deviation, and how far a vote moves: half of what it says."""

LOOKS = 8
"""How often held-out samples are asked in all steps."""


class Informed(NamedTuple):
    """What steps led to.

    Attributes:
        made: the constants of the sites, by name: those of the matching where no step helped.
        program: with them.
        kept_step: of `steps`; 0 where none helped.
        before, after: what predictions say of a held-out sample, in 2^-16 bit.
        classes: how many there seemed to be before the steps: two to the power of the entropy of the mean prediction.
        forward_passes: samples sent through the network.
    """

    made: Mapping[str, Constants]
    program: Program
    kept_step: int
    steps: int
    before: int
    after: int
    classes: float
    forward_passes: int


def inform(
    program: Program,
    references: Mapping[str, Reference],
    made: Mapping[str, Constants],
    x: NDArray[np.integer],
    held_x: NDArray[np.integer],
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> Informed:
    """Take steps, and keep those after which predictions say most about held-out samples.

    Args:
        program: the base, and `references` of its sites, by name.
        made: the constants that a matching gave its sites.
        x, held_x: samples in the input format, to step on and to choose by; no labels.
        settings: `steps`, `directions`, `batch`, `seed` and `threads` count.
        on_progress: called after every step.
    """
    of = places(program, references, made)
    moving = {place.site.name for place in of}
    rest = matched(program, {name: constants for name, constants in made.items() if name not in moving})
    cut = last_joint(program, of[0].site.place) if of else 0
    if cut:
        x, held_x = run_before(rest, cut, (x, held_x), settings.threads)
        rest = after(rest, cut)
        of = within(rest, of)

    def at(position: Position) -> Program:
        return program_at(rest, of, position)

    batch = batch_indices(settings.seed, len(x), settings.batch)
    look_every = max(1, settings.steps // LOOKS)
    position, started = origin(of), time.monotonic()
    first = best = entropies_of(at(position), held_x, settings.threads).information
    classes = 2 ** (entropies_of(at(position), x, settings.threads).of_mean / 65536)
    kept_step, kept, passes = 0, position, len(held_x) + len(x)
    for step in range(settings.steps):
        samples = x[batch(step)]
        directions = [drawn(of, settings.seed, step, index) for index in range(settings.directions)]
        for vote, direction in zip(
            _votes(at, position, directions, samples, settings), directions, strict=True
        ):
            position = added(position, direction, -OF_A_VOTE * vote)
        passes += (1 + settings.directions) * len(samples)
        if (step + 1) % look_every == 0 or step + 1 == settings.steps:
            found = entropies_of(at(position), held_x, settings.threads).information
            passes += len(held_x)
            if found > best:
                best, kept_step, kept = found, step + 1, position
        if on_progress:
            on_progress(_progress(step + 1, settings.steps, best, kept_step, time.monotonic() - started))
    constants = {**made, **constants_at(rest, of, kept)} if kept_step else made
    return Informed(
        constants, matched(program, constants), kept_step, settings.steps, first, best, classes, passes
    )


def _votes(
    at: Callable[[Position], Program],
    position: Position,
    directions: list[Position],
    x: NDArray[np.integer],
    settings: Settings,
) -> tuple[int, ...]:
    """How far to go along each direction: the best move within them, by Gauss-Newton."""
    here = at(position)
    plain = _logits(here, x, settings)
    tried = [_logits(at(added(position, one, EPSILON)), x, settings) for one in directions]
    scale = here.tensors[here.output].scale[0]
    curvatures, slopes = curvature.sums(
        plain, np.stack(tried), *information.slopes(plain, *loss_rescale(scale))
    )
    mult, shift = curvature.of_a_step(scale)
    return curvature.votes(curvatures, slopes, mult, shift - curvature.UNITS)


def _logits(program: Program, x: NDArray[np.integer], settings: Settings) -> Int:
    return logits_of(CoreEngine(program, threads=settings.threads), x)


def _progress(step: int, steps: int, best: int, kept: int, seconds: float) -> Progress:
    rate = step / max(seconds, 1e-9)
    return Progress(
        step=step,
        steps=steps,
        best_step=kept,
        steps_per_second=rate,
        seconds_left=(steps - step) / rate,
        information=best / 65536,
    )
