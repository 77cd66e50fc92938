"""A closed-form start of the last layer, where held-out samples say that it helps."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.head import Head, class_means, in_quanta, least_squares
from stepforward.core.systems import solved
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.program.biases import MOST
from stepforward.program.cut import before
from stepforward.program.last_layer import MOST_WIDER, Layer, layer_of, not_linear, with_layer
from stepforward.program.model import Program
from stepforward.program.weights import unpack_all
from stepforward.run.learner import Samples
from stepforward.run.started import Started
from stepforward.run.tried import Tried
from stepforward.scores import Score, class_weights, score
from stepforward.settings import Settings
from stepforward.sources.source import Source

DAMPINGS, SPREADS = (8, 6, 4, 2, 0), (4, 8, 16, 32)
"""Of least squares: powers of two by which weights are held small, and how far apart the logits of two classes are."""

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
"""Of the distances that class means give: inputs are not as independent as these take them to be."""

MOST_INPUTS = 256
"""For which least squares are solved."""


def start_head(
    program: Program,
    moving: Collection[int],
    settings: Settings,
    samples: Mapping[str, Samples],
    why_not: str | None = None,
) -> Started:
    """Try last layers made of the samples that train, and keep the best where held-out samples agree: where their loss
    is less than the base's, with `auto` than half of it. A new layer forgets what the base's knew of other samples.

    All of it is in integers, and the same every time.

    Args:
        program: the base.
        moving: parameters that may move.
        settings: of the run.
        samples: "train" and "validation".
        why_not: there can be none; None where there may be one.
    """
    if settings.head_start == "none":
        return Started(program, program)
    why = why_not or _obstacle(program, moving, samples["train"][1], settings.head_start)
    if why is not None:
        return Started(program, program, told=Tried(kept=f"base: {why}"))
    (x, y), (held_x, held_y) = (
        (_inputs(program, samples[part][0], settings), samples[part][1]) for part in ("train", "validation")
    )
    counts = class_weights(held_y, settings.balance)
    values = unpack_all(program)
    first = _score(program, values, held_x, held_y, settings.watching_temperature)
    (correct, loss), found = first.weighed(counts), None
    wanted = "helped on held-out samples"
    if settings.head_start == "auto":
        loss, wanted = loss / 2, "halved the held-out loss"
    for name, layer in _layers(program, x - _zero_point(program), y, settings.head_start):
        changed = with_layer(program, layer)
        tried = _score(changed, unpack_all(changed), held_x, held_y, settings.watching_temperature)
        right, rest = tried.weighed(counts)
        if right >= correct and rest < loss:
            loss, found = rest, (name, layer, changed, tried)
    passes = len(y) + len(held_y)
    if found is None:
        told = Tried(
            kept=f"base: no start {wanted}",
            forward_passes=passes,
            temperature=settings.watching_temperature,
        )
        return Started(program, program, told=told)
    name, layer, changed, tried = found
    told = Tried(kept=name, forward_passes=passes, temperature=settings.watching_temperature)
    return Started(changed, program, layer, told.scored(first, tried))


def with_last_layer(model: Source, program: Program, base: Program) -> Source:
    """A model with the weights of a program, and the scales of its last layer, where they are not those of the base:
    lowering makes that program again."""
    op = program.ops[-1]
    if op.what == base.ops[-1].what:
        return model
    classes = program.tensors[program.output].elements
    scales = {t.name: t.scale for t in (program.tensors[index] for index in op.parameters)}
    return model.with_scales({name: [*s] * (classes // len(s)) for name, s in scales.items()})


def _obstacle(program: Program, moving: Collection[int], y: np.ndarray, kind: str) -> str | None:
    op, classes = program.ops[-1], program.tensors[program.output].elements
    why = not_linear(program)
    if why is None and not {op.weight, op.bias} <= set(moving):
        why = f"{op.name} does not move"
    missing = classes - len(np.unique(y))
    if why is None and missing:
        why = f"{missing} of {classes} classes have no samples that train"
    if why is None and kind == "auto" and program.tensors[op.weight].q_max < 127:
        why = "weights of 4 bits are too coarse for a new last layer"
    return why


def _inputs(program: Program, x: np.ndarray, settings: Settings) -> Int:
    """What the last layer reads, shape (n, inputs)."""
    if program.ops[-1].inputs[0] != program.input:
        engine = CoreEngine(
            before(program, len(program.ops) - 1), threads=settings.threads, memory=settings.memory
        )
        (x,) = engine.outputs(Batch.of(x))
    return x.reshape(len(x), -1).astype(np.int64)


def _zero_point(program: Program) -> int:
    return program.tensors[program.ops[-1].inputs[0]].zero_point


def _score(program: Program, values: Mapping[int, Int], x: Int, y: np.ndarray, temperature: float) -> Score:
    """Of the last layer, by its definition."""
    op = program.ops[-1]
    of, to = program.tensors[op.inputs[0]], program.tensors[op.output]
    logits = op.what.run([x.reshape(-1, *of.shape)], [of], to, [values[op.weight], values[op.bias]])
    return score(program, logits.reshape(len(x), -1), y, temperature)


def _layers(program: Program, x: Int, y: np.ndarray, kind: str) -> Iterator[tuple[str, Layer]]:
    """Last layers to try, each with its name."""
    classes = program.tensors[program.output].elements
    if kind in ("ridge", "auto") and x.shape[1] <= MOST_INPUTS:
        for damping in DAMPINGS:
            head = least_squares(x, y, classes, damping, solved)
            for spread in SPREADS:
                name = f"least squares, damping 2^-{damping}, logits {spread} apart"
                yield from ((name, layer) for layer in _fitting(program, head, spread / classes))
    if kind in ("means", "auto"):
        head = class_means(x, y, classes)
        for share in SHARES:
            yield from ((f"class means, {share:g}", layer) for layer in _fitting(program, head, share))


def _fitting(program: Program, head: Head, factor: float) -> list[Layer]:
    """The layer in the integers of the program's, its scale as large as it must be; none where it does not fit."""
    op = program.ops[-1]
    of, tensor = program.tensors[op.inputs[0]], program.tensors[op.weight]
    scales = np.broadcast_to(np.array(tensor.scale), len(head.bias)) * of.scale[0]
    room = min(MOST_WIDER, *(shift for _, shift in op.what.rescale))
    for wider in range(room + 1):
        weight, bias = (in_quanta(part, factor / (scales * 2**wider)) for part in head)
        if abs(weight).max() <= tensor.q_max and abs(bias).max() <= MOST:
            return [layer_of(program, weight, bias, wider)]
    return []
