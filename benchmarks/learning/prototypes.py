"""What is not built, tried on the footing of family.py: other directions, layers in turn, other choices among iterates.

    python benchmarks/learning/prototypes.py chosen orthogonal in-turn --seeds 0 1 2

as-drawn: directions as they are, the bits of the product (with the distribution of `orthogonal`). orthogonal: those of
a step are one direction with signs that make each two of them orthogonal (rows of a Hadamard matrix, by element).
in-turn: the first half of the network and the second, by products, are probed and moved in every other step; both
sides of a direction share what comes before, and the passes that saves are spent on more steps. salient-by-size: a
saliency mask by slope times size of the weight. chosen: the product's run, and what else could have been kept of it.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import torch

from learning import family, ours, rows
from learning.run import Made, machine
from learning.tasks.task import Task
from stepforward.arithmetic import step as steps
from stepforward.core.directions import drawn
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, Snapshot, Trial
from stepforward.program.model import Program
from stepforward.program.weights import pack_all, unpack_all
from stepforward.run import integers, saliency, search
from stepforward.run.session import Session

HALVES = 2
NAMES = ["as-drawn", "orthogonal", "in-turn", "salient-by-size", "chosen"]


class Tried(CoreEngine):
    """The core's engine, its probes and moves by the definition, with directions of another kind."""

    kind = "as-drawn"

    def losses(self, step: int, batch: Batch, trials: Sequence[Trial], gather: bool = False) -> list[int]:
        """See `CoreEngine`: with weights that are moved here, where they have 16 bits and biases 32."""
        found, views = [], self._views()
        given = [view.astype(np.int64) for view in views]
        with patch.object(steps, "direction", self._direction):
            for trial in trials:
                for entry, view, w in zip(self.plan.voted, views, given, strict=True):
                    tensor = self.program.tensors[entry.tensor]
                    most = tensor.q_max
                    view[:] = np.clip(w + self._by(step, trial.moves, entry, tensor), -most, most)
                self._packs.filled = 0
                found += super().losses(step, batch, [Trial((), trial.rows)], gather)
        for view, w in zip(views, given, strict=True):
            view[:] = w
        self._packs.filled = 0
        return found

    def update(self, step: int, votes: Sequence[int]) -> None:
        """See `CoreEngine`."""
        super().update(step, [0] * len(votes))  # an exact tail
        with patch.object(steps, "direction", self._direction):
            for entry, view in zip(self.plan.voted, self._views(), strict=True):
                tensor, w = self.program.tensors[entry.tensor], view.astype(np.int64)
                view[:] = steps.update(self.plan, entry, tensor, w, None, step, votes)
        self._packs.filled = 0

    def _views(self) -> list[Any]:
        """Of each voted tensor in the buffer."""
        kinds = {"s16": "<i2", "s32": "<i4"}
        places = zip(self.plan.voted, self._weights._places, strict=False)
        return [
            self._weights.buffer[here.start : here.start + tensor.bytes].view(kinds[tensor.dtype])
            for entry, (_, here) in places
            for tensor in [self.program.tensors[entry.tensor]]
        ]

    def _by(self, step: int, moves: Sequence[Any], entry: Any, tensor: Any) -> Any:
        """How far a trial moves a tensor."""
        total = 0
        for index, amount in moves:
            self._direction(
                self.plan.distribution, self.plan.seed, step, index, entry.tensor, tensor.elements
            )
            if ("by", index, entry.tensor) not in self._known:
                nothing = np.zeros(tensor.elements, dtype=np.int64)
                by = steps.perturb(self.plan, entry, tensor, nothing, step, [(index, 1)])
                self._known["by", index, entry.tensor] = by
            total = total + amount * self._known["by", index, entry.tensor]
        return total

    def _direction(self, distribution: str, seed: int, step: int, index: int, tensor: int, count: int) -> Any:
        known = self.__dict__.setdefault("_known", {})
        if known.get("step") != step:
            known.clear()
            known["step"] = step
        if (index, tensor) not in known:
            drawing = 0 if self.kind == "orthogonal" else index
            z = drawn(distribution, seed, step, drawing, tensor, count).astype(np.int64)
            if self.kind == "orthogonal":
                z *= 1 - 2 * (np.bitwise_count(np.arange(count) & index) & 1).astype(np.int64)
            if self.kind == "in-turn" and half_of(self.program, tensor) != step % HALVES:
                z[:] = 0
            known[index, tensor] = z
        return known[index, tensor]


def products(program: Program) -> list[int]:
    """Of each operator."""
    return [
        op.what.products(program.tensors[op.weight], program.tensors[op.output]) if op.parameters else 0
        for op in program.ops
    ]


def half_of(program: Program, tensor: int) -> int:
    """Which half a parameter is in."""
    work = products(program)
    place = next(i for i, op in enumerate(program.ops) if tensor in op.parameters)
    return int(sum(work[:place]) + work[place] / 2 > sum(work) / HALVES)


def cost(program: Program) -> float:
    """Of a step of `in-turn`, in whole steps: in the second half, both sides share the first."""
    work = products(program)
    first = sum(
        w
        for op, w in zip(program.ops, work, strict=True)
        if op.parameters and not half_of(program, op.weight)
    )
    return (1 + (first + 2 * (sum(work) - first)) / (2 * sum(work))) / HALVES


@contextmanager
def kept(seen: dict[str, Any]) -> Iterator[None]:
    """While it lasts, every validation keeps the weights."""
    validation, judged = Session.validation, integers.IntegerLearner.judged

    def remembered(own: Any) -> Any:
        seen["learner"] = own
        return judged(own)

    def both(session: Session, step: int, judge: Callable) -> Any:
        score = validation(session, step, judge)
        seen.setdefault("points", []).append((step, *score, seen["learner"].engine.snapshot()))
        return score

    with (
        patch.object(Session, "validation", both),
        patch.object(integers.IntegerLearner, "judged", remembered),
    ):
        yield


def choices(seen: dict[str, Any]) -> dict[str, list[float]]:
    """What each way to choose keeps: test accuracy, and the held-out loss that trains."""
    learner, points = seen["learner"], seen["points"]

    def of(snapshot: Snapshot) -> list[float]:
        learner.engine.restore(Snapshot(snapshot.weights, b""))
        return [round(learner.score("test").accuracy, 5), round(learner.judged().nats, 4)]

    def plain(point: tuple) -> float:
        learner.engine.restore(Snapshot(point[3].weights, b""))
        return learner.score("validation").nats

    def mean(share: float) -> Snapshot:
        last = [
            unpack_all(learner.trained, p[3].weights) for p in points[-max(1, round(share * len(points))) :]
        ]
        values = {i: np.rint(np.mean([v[i] for v in last], axis=0)).astype(np.int64) for i in last[0]}
        return Snapshot(pack_all(learner.trained, values), b"")

    able = [p for p in points if p[1] >= points[0][1]]
    best = min(able, key=lambda p: p[2])[3]
    found = {
        "loss that trains": of(best),
        "loss at temperature 1": of(min(able, key=plain)[3]),
        "accuracy, then loss": of(min(points, key=lambda p: (-p[1], p[2]))[3]),
        "last": of(points[-1][3]),
        "mean of the last quarter": of(mean(0.25)),
        "mean of the last half": of(mean(0.5)),
    }
    found["loss that trains, means too"] = min(
        (found[name] for name in ("loss that trains", "mean of the last quarter", "mean of the last half")),
        key=lambda pair: pair[1],
    )
    return found


@contextmanager
def by_size() -> Iterator[None]:
    """While it lasts, slopes are times the size of the weight, in its tensor's root mean square."""
    seek, slopes, values = integers.seek, saliency.slopes, {}

    def seeking(program: Program, *rest: Any) -> Any:
        values.update(unpack_all(program))
        return seek(program, *rest)

    def weighed(draw: Any, distribution: str, seed: int, tensor: int, *rest: Any) -> Any:
        w = np.abs(values[tensor].reshape(-1)).astype(float)
        share = w / max(np.sqrt(np.mean(w**2)), 1.0)
        return np.rint(256 * share * slopes(draw, distribution, seed, tensor, *rest)).astype(np.int64)

    with patch.object(integers, "seek", seeking), patch.object(saliency, "slopes", weighed):
        yield


def run(task: Task, name: str, seed: int) -> dict[str, Any]:
    """One run: what a row says of it."""
    settings: dict[str, Any] = {"steps": family.STEPS}
    if name == "chosen":
        seen: dict[str, Any] = {}
        with kept(seen):
            row = ours.run(task, "all", settings, seed)
        return row | {"choices": choices(seen)}
    if name == "salient-by-size":
        with by_size():
            return ours.run(task, "all", family.FAMILY["saliency"], seed)
    settings |= {"distribution": "rademacher"} if name in ("as-drawn", "orthogonal") else {}
    noise, share = search.NOISE, 1.0
    if name == "in-turn":
        share = cost(task_program(task))
        settings["steps"] = round(family.STEPS / share)
        noise *= HALVES  # each weight moves in every other step
    Tried.kind = name
    with patch.object(integers, "CoreEngine", Tried), patch.object(search, "NOISE", noise):
        row = ours.run(task, "all", settings, seed)
    return row | {"forward_passes": round(share * row["forward_passes"])}


def task_program(task: Task) -> Program:
    """The base's."""
    from stepforward.lowering.lower import lower
    from stepforward.sources.open import open_source

    return lower(open_source(task.base()).network())


def main() -> None:
    """Make what is missing."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("names", nargs="+", choices=NAMES)
    arguments.add_argument("--tasks", nargs="+", default=family.TASKS)
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = arguments.parse_args()
    torch.set_num_threads(1)
    for made in [Made(task, family.ROWS) for task in given.tasks]:
        for name in given.names:
            for seed in given.seeds:
                key = {"train": "all", "method": f"prototype:{name}", "settings": {}, "seed": seed}
                wanted = {"task": made.name, **key, "inputs": made.task and made.inputs, "resolved": {}}
                if rows.found(wanted, family.ROWS) is None:
                    words = ["python", "benchmarks/learning/prototypes.py", name, "--tasks", made.name]
                    row = {**wanted, **run(made.task, name, seed), "machine": machine()}
                    row["command"] = shlex.join([*words, "--seeds", str(seed)])
                    rows.put(row, family.ROWS)
                    print(
                        made.name, name, seed, row["adapted"], row["cpu"], row.get("choices", ""), flush=True
                    )


if __name__ == "__main__":
    main()
