"""A start of the biases: where they lead if the network were linear in them, as far as held-out samples agree."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.curvature import UNITS
from stepforward.arithmetic.fixedpoint import clamp, quantize_multiplier, shift_right
from stepforward.arithmetic.linearized import FRACTION, descent
from stepforward.arithmetic.loss import loss_rescale
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Snapshot, logits_of
from stepforward.program.biases import MOST, written
from stepforward.program.model import Program
from stepforward.program.weights import pack_all, unpack_all
from stepforward.run.batches import batch_indices
from stepforward.run.bias_changes import Place, changes, places
from stepforward.run.learner import Samples
from stepforward.run.started import Started
from stepforward.run.tried import Tried
from stepforward.scores import Score, class_weights, score
from stepforward.settings import Settings

MOST_ROUNDS, LEAST_GAIN = 8, 1 / 50
"""How often biases are tried anew from where they have gone, while that takes so much off the held-out loss."""

MOST_NUMBERS = 1 << 22
"""Samples, classes and biases multiplied, at most: what biases do is kept in 20 bytes each."""

FEWEST = 32
"""Samples that biases are tried on, unless there are fewer."""

LEAST_KNOWN = 4
"""What samples say, a number for each class but one, has to be so many times what is asked for; with `auto`."""

PATIENCE = 2
"""Looks at held-out samples, farther and farther downhill, that bring nothing before a round ends."""


def start_biases(
    started: Started,
    moving: Collection[int],
    settings: Settings,
    samples: Mapping[str, Samples],
) -> Started:
    """Try every bias alone, follow the loss downhill as if the network were linear in them, and keep the moves where
    held-out samples are better off; again from there, while that helps. It takes no more passes than the steps.

    All of it is in integers, and the same every time.

    Args:
        started: with the base, or what a start of the last layer made of it.
        moving: parameters that may move.
        settings: of the run, with its number of steps.
        samples: "train" and "validation".
    """
    if settings.bias_start == "none":
        return started
    program, (x, y) = started.program, samples["train"]
    of = places(program, moving)
    numbers, classes = sum(len(place.tried) for place in of), program.tensors[program.output].elements
    a_round = 1 + sum(place.cost * len(place.tried) for place in of)  # passes of one sample
    budget = settings.steps * settings.passes(len(y)) - len(samples["validation"][1])
    count = min(len(y), MOST_NUMBERS // (classes * max(numbers, 1)), int(budget / a_round))
    why = _obstacle(numbers, count, len(y), classes, settings)
    if why is not None:
        return replace(started, biases_told=Tried(kept=f"base: {why}"))
    judge = _Judge(program, *samples["validation"], settings)
    order, weights, rounds = batch_indices(settings.seed, len(y), count), program.weights, 0
    first = best = judge.score(weights)
    spent = 0.0
    while rounds < MOST_ROUNDS and spent + count * a_round <= budget:
        rows = order(rounds)
        plain = judge.logits(weights, x[rows])
        tried = _downhill(replace(program, weights=weights), of, (x[rows], y[rows]), plain, settings)
        found, looks = judge.best_of(tried, best)
        spent += count * a_round + looks * len(best.labels)
        if found is None:
            break
        before, (weights, best) = best, found
        rounds += 1
        if judge.loss(best) > (1 - LEAST_GAIN) * judge.loss(before):
            break
    told = Tried(
        kept="", forward_passes=len(best.labels) + round(spent), temperature=settings.watching_temperature
    )
    if not rounds:
        return replace(started, biases_told=replace(told, kept="base: no move helped on held-out samples"))
    changed = replace(program, weights=weights)
    kept = f"{numbers:,} biases moved at once, {'once' if rounds == 1 else f'{rounds} times'}"
    return replace(
        started,
        program=changed,
        biases=written(changed, [place.tensor for place in of]),
        biases_told=replace(told, kept=kept).scored(first, best),
    )


def _obstacle(numbers: int, count: int, samples: int, classes: int, settings: Settings) -> str | None:
    if not numbers:
        return "no bias moves"
    if count < min(FEWEST, samples):
        return f"to try {numbers:,} biases one by one takes more passes than the steps, or too much memory"
    if settings.bias_start == "auto" and numbers * LEAST_KNOWN > count * (classes - 1):
        limit = "" if count == samples else ", as many as the passes of the steps allow,"
        return f"{count:,} samples{limit} say too little of {numbers:,} biases at once"
    return None


class _Judge:
    """Held-out samples, which say how far to go.

    Args:
        program: of which weights are judged.
        x, y: the samples.
        settings: of the run.
    """

    def __init__(self, program: Program, x: NDArray[np.integer], y: NDArray[np.integer], settings: Settings):
        self._engine = CoreEngine(program, threads=settings.threads, memory=settings.memory)
        self._x, self._y, self._temperature = x, y, settings.watching_temperature
        self._counts = class_weights(y, settings.balance)

    def logits(self, weights: bytes, x: NDArray[np.integer]) -> NDArray[np.int32]:
        """Of any samples, with other weights."""
        self._engine.restore(Snapshot(weights))
        return logits_of(self._engine, x)

    def score(self, weights: bytes) -> Score:
        """How they do with other weights."""
        return score(self._engine.program, self.logits(weights, self._x), self._y, self._temperature)

    def loss(self, one: Score) -> float:
        """Summed, each sample as often as it counts."""
        return one.weighed(self._counts)[1]

    def best_of(self, tried: Iterator[bytes], before: Score) -> tuple[tuple[bytes, Score] | None, int]:
        """The weights with the least loss, if that is less than before and no fewer samples are classified correctly;
        and how many were looked at."""
        found, best, worse, looks = None, before, 0, 0
        correct, _ = before.weighed(self._counts)
        for weights in tried:
            own = self.score(weights)
            better = self.loss(own) < self.loss(best) and own.weighed(self._counts)[0] >= correct
            if better:
                found, best = (weights, own), own
            looks, worse = looks + 1, 0 if better else worse + 1
            if worse == PATIENCE:
                break
        return found, looks


def _downhill(
    program: Program,
    of: Sequence[Place],
    samples: Samples,
    plain: NDArray[np.int32],
    settings: Settings,
) -> Iterator[bytes]:
    """Weights whose biases have gone a little downhill, then farther; `plain`: the samples' logits."""
    x, y = samples
    scale, temperature = program.tensors[program.output].scale[0], settings.temperature
    ways = descent(
        plain,
        np.concatenate(list(changes(program, of, x, plain, settings.threads))),
        y,
        loss_rescale(scale, temperature),
        quantize_multiplier(temperature / scale / 2**UNITS),
        np.concatenate([np.full(len(place.tried), place.farthest) for place in of]),
    )
    values = unpack_all(program)
    tried = np.concatenate([place.tried for place in of])
    ends = np.cumsum([len(place.tried) for place in of])[:-1]
    for way in ways:
        moved = np.split(shift_right(way * tried, FRACTION), ends)
        changed = {
            place.tensor: clamp(values[place.tensor].reshape(-1) + own, -MOST, MOST)
            for place, own in zip(of, moved, strict=True)
        }
        yield pack_all(program, changed)
