"""Float backpropagation: SGD, SGD with momentum and Adam, each at its best rate by validation.

It starts from the real values of the same integers, and samples, split, batches, validations and the choice of weights
are those of the product's own loop. What no trainable parameter reaches is computed once per sample, which changes no
figure but the time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from learning.clock import Watch
from learning.ours import Seen, outcome
from learning.tasks.task import Task
from stepforward.arithmetic.step import rate
from stepforward.data.dataset import Dataset
from stepforward.data.split import split
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.torch import OPERATORS, TorchEngine
from stepforward.lowering.lower import lower
from stepforward.methods.backprop import GRADIENT, sgd
from stepforward.methods.protocol import Method, Rule
from stepforward.moving.select import select
from stepforward.plan.make import plan_training
from stepforward.program.model import Program
from stepforward.run.batches import batch_indices
from stepforward.run.first_stage import begin
from stepforward.run.prepare import prepare
from stepforward.run.session import Session
from stepforward.run.training import Rules
from stepforward.run.training import train as train_loop
from stepforward.scores import Score, score_float
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.sources.source import Source

STEPS, PATIENCE = 300, 15
"""At the best rates the kept weights mostly come before step 150; 15 of 40 validations without any end a run."""

FINALISTS = 3
"""Pairs of optimizer and rate that run with every seed: one small held-out set alone would choose by luck."""

GRID = tuple(float(f"{digit}e{power}") for power in range(-7, 1) for digit in (1, 3))
"""Learning rates that the search walks on: half decades."""

STARTS = {
    "sgd": {"head": 1e-1, "resnet8": 3e-6, "resnet20": 1e-3, "": 1e-2},
    "momentum": {"head": 3e-2, "resnet8": 3e-7, "resnet20": 1e-4, "": 3e-3},
    "adam": {"head": 3e-2, "resnet8": 1e-4, "resnet20": 1e-4, "": 3e-3},
}
"""Where the search begins: for the last layer, for kinds of tasks, for the others; it ends where the loss is least."""

Arrays = Mapping[str, NDArray[np.float32]]


def adam(settings: Settings) -> Rule[Any, Arrays]:
    r"""Adam with the usual constants, 0.9, 0.999 and 1e-8, and the schedule of the settings."""

    def step(
        state: tuple[Arrays, Arrays], engine: Any, number: int, gradients: Arrays
    ) -> tuple[Arrays, Arrays]:
        lr = settings.lr * rate(settings.schedule, number, settings.steps, settings.warmup) / 32768
        squares = {name: gradient**2 for name, gradient in gradients.items()}
        first, second = _mean(state[0], gradients, 0.9), _mean(state[1], squares, 0.999)
        lr *= (1 - 0.999 ** (number + 1)) ** 0.5 / (1 - 0.9 ** (number + 1))
        engine.apply({n: np.float32(-lr) * first[n] / (np.sqrt(second[n]) + np.float32(1e-8)) for n in first})
        return first, second

    return Rule(lambda engine: ({}, {}), step)


def _mean(old: Arrays, new: Arrays, decay: float) -> Arrays:
    """Exponential average, which begins at 0."""
    keep, add = np.float32(decay), np.float32(1 - decay)
    return {name: keep * old.get(name, np.float32(0)) + add * value for name, value in new.items()}


OPTIMIZERS: dict[str, tuple[float, Callable[[Settings], Rule[Any, Arrays]]]] = {
    "sgd": (0.0, sgd),
    "momentum": (0.9, sgd),
    "adam": (0.0, adam),
}
"""Momentum and rule."""

MATCHED = "matched-"
"""Of the names of the same that start from the base after a matching, where that lowers held-out loss."""


class Prefixed(TorchEngine):
    """Samples are row numbers of `x`; the nodes before the first that learns have been run on all of them.

    Args:
        model, trainable: as of `TorchEngine`.
        x: all samples that will ever be asked for.
    """

    def __init__(self, model: ir.Model, trainable: Sequence[str], x: NDArray[np.float32]):
        super().__init__(model, trainable)
        graph = model.graph
        nodes = list(graph)
        first = next(
            number
            for number, node in enumerate(nodes)
            if any(value is not None and value.name in self.trainable for value in node.inputs)
        )
        name = graph.inputs[0].name
        used = {value.name for node in nodes[first:] for value in node.inputs if value is not None}
        made = {name, *(node.outputs[0].name for node in nodes[:first])} & used
        with torch.no_grad():
            blocks = [
                self._run(
                    nodes[:first], {name: torch.from_numpy(np.ascontiguousarray(x[start : start + 256]))}
                )
                for start in range(0, len(x), 256)
            ]
        self._prefix = {value: torch.cat([block[value] for block in blocks]) for value in made}
        self._rest, self._last = nodes[first:], graph.outputs[0].name

    def _forward(self, rows: NDArray[np.int64]) -> torch.Tensor:
        chosen = torch.from_numpy(np.asarray(rows, np.int64))
        return self._run(self._rest, {name: value[chosen] for name, value in self._prefix.items()})[
            self._last
        ]

    def _run(self, nodes: Sequence[ir.Node], values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        for node in nodes:
            arguments = [self._value(value, values) for value in node.inputs]
            values[node.outputs[0].name] = OPERATORS[node.op_type](node, *arguments)
        return values


def start(optimizer: str, kind: str, train: str) -> float:
    """The first rate of a search."""
    known = STARTS[optimizer]
    return known["head"] if train == "head" else known.get(kind, known[""])


def resolved(optimizer: str, train: str, lr: float, seed: int) -> dict[str, Any]:
    """Every setting as the run uses it."""
    return asdict(settings_of(optimizer, train, lr, seed))


def settings_of(optimizer: str, train: str, lr: float, seed: int) -> Settings:
    """Backpropagation's defaults of the product, but for the optimizer's own."""
    momentum, _ = OPTIMIZERS[optimizer]
    return Settings(
        method="backprop",
        train=train,
        seed=seed,
        threads=1,
        lr=lr,
        steps=STEPS,
        momentum=momentum,
        patience=PATIENCE,
    )


def run(task: Task, optimizer: str, train: str, lr: float, seed: int, first: bool = False) -> dict[str, Any]:
    """One run; what a row says of it. `first`: it starts where a run of the product does, see `matched`."""
    settings = settings_of(optimizer, train, lr, seed)
    base = task.base()
    (x, y), (test_x, test_y) = task.data, task.test
    parts = split(Dataset(x, y, tuple(map(str, range(y.max() + 1))), ()), settings.validation, seed)
    rows = {"validation": parts.validation, "test": len(y) + np.arange(len(test_y))}
    labels = np.concatenate([y, test_y])
    watch = Watch()

    def opened(source: Source) -> Prefixed:
        program = lower(source.network())
        names = [program.tensors[number].name for number in moving(program, train)]
        return Prefixed(source.float_model(), names, np.concatenate([x, test_x]))

    def score(part: str) -> Score:
        chosen = rows[part]
        return score_float(logits_of(engine, chosen), labels[chosen])

    engine = opened(open_source(base))
    with watch.paused():
        before = score("test").accuracy
    if first:
        engine = opened(matched(task, seed))
    seen: list[Seen] = []

    def judge() -> tuple[int, float]:
        found = score("validation")
        seen.append(Seen(None, watch.read().cpu))
        return found.correct, float(found.loss)

    order = batch_indices(seed, len(parts.train), settings.batch)

    def batches(step: int) -> Batch:
        chosen = parts.train[order(step)]
        return Batch.of(chosen, y[chosen])

    method = Method(GRADIENT, OPTIMIZERS[optimizer][1](settings))
    with np.errstate(all="ignore"), Session(method, engine) as session:  # a rate too large overflows
        done = train_loop(
            session,
            batches,
            judge,
            Rules(
                steps=settings.steps,
                most_steps=settings.steps,
                lr=settings.lr,
                validation_count=len(parts.validation),
                nats=1.0,
                evaluate_every=max(1, settings.steps // 40),
                patience=settings.patience,
            ),
        )
    engine.restore(done.best.snapshot)
    times = watch.read()
    return outcome(
        zero_shot=before,
        adapted=score("test").accuracy,
        kept_step=done.best.step,
        steps=done.steps,
        forward_passes=done.forward_passes,
        curve=[asdict(row) for row in done.curve],
        seen=seen,
        times=times,
        parameters=sum(array.size for array in engine.snapshot().values()),
    )


def matched(task: Task, seed: int) -> Source:
    """The base after the first stage of the product, with the same split: matched, or as it is."""
    settings = Settings(seed=seed, threads=1)
    prepared = prepare(open_source(task.base()), task.data, None, settings)
    return begin(prepared, settings, None, None).prepared.opened


def moving(program: Program, train: str) -> list[int]:
    """Tensor numbers of a trainable set."""
    plan = plan_training(program, select(program, train), Settings(steps=1))
    return [entry.tensor for entry in plan.trainable]


def best_rate(loss: Callable[[float], float], first: float, base: float) -> float:
    """The rate of `GRID` with the least loss, walked to from `first`: downwards, else upwards, while that helps.

    Args:
        loss: validation loss of the weights that a rate keeps.
        first: where the walk begins.
        base: loss before the first step, which a rate that learns nothing keeps; the walk goes down past such rates.
    """
    place = GRID.index(first)
    losses = {place: loss(first)}

    def walk(way: int) -> None:
        at = place + way
        while 0 <= at < len(GRID):
            before = min(losses.values())
            losses[at] = loss(GRID[at])
            if losses[at] >= before and before < base:
                return
            at += way

    def best() -> int:
        return min(losses, key=lambda at: (losses[at], at))

    walk(-1)
    if best() == place and losses[place] < base:
        walk(1)
    return GRID[best()]
