"""Run the tasks of the bench that decides; finished rows are kept, and skipped the next time.

    python benchmarks/learning/run.py --list
    python benchmarks/learning/run.py --tasks choosing --methods ours:defaults --sets all head --seeds 0 1 2
    python benchmarks/learning/run.py --tasks speakers --methods ours:graded --set votes=graded --set lr=4e-3

Methods: none (the network as it is), backprop (SGD, momentum and Adam at rates searched with seed 0; those with the
least validation loss with every seed), sgd, momentum, adam (the same with that one alone), matched-backprop,
matched-sgd, ... (the same from the base after a matching), ours:NAME (`candidates.py`, or --set), bn-test, bn-data,
tent (float, without labels). Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import gc
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from common import DATA

import stepforward as sf
from learning import ours, peers, rows, unlabelled
from learning.candidates import settings_of
from learning.clock import Watch
from learning.tasks.halves import TASKS, chosen
from learning.tasks.table import make
from learning.tasks.task import Task
from stepforward.bench.machine import describe

METHODS = ["none", "backprop", "ours:defaults"]
SETS = ["all", "head"]
Row = dict[str, Any]


class Made:
    """A task that is made when it is first asked for."""

    def __init__(self, name: str, file: Path):
        self.name, self.file = name, file
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """The task itself."""
        if self._task is None:
            self._task = make(self.name)
            self.inputs = self._task.fingerprint()
        return self._task

    def row(self, key: Row, resolved: Row, run: Callable[[Task], Row]) -> Row:
        """The finished row of a key, or the one that `run` makes now, which is written down."""
        task = self.task
        wanted = {"task": self.name, **key, "inputs": self.inputs, "resolved": resolved}
        row = rows.found(wanted, self.file)
        if row is None:
            row = {**wanted, **run(task), "command": command(wanted), "machine": machine()}
            rows.put(row, self.file)
            print(shown(row), flush=True)
        return row


def command(row: Row) -> str:
    """What makes this one row again."""
    words = ["python", "benchmarks/learning/run.py", "--tasks", row["task"], "--methods", row["method"]]
    if row["train"]:
        words += ["--sets", row["train"], "--seeds", str(row["seed"])]
    if row["method"].removeprefix(peers.MATCHED) in peers.OPTIMIZERS:
        words += ["--lr", f"{row['settings']['lr']:g}"]
    elif row["method"].startswith("ours:") and row["settings"]:
        words += [
            word
            for name, value in row["settings"].items()
            for word in ("--set", f"{name}={json.dumps(value)}")
        ]
    return shlex.join(words)


def machine() -> str:
    """Processor and torch."""
    facts = describe()
    return f"{facts['processor']}, torch {facts['software']['torch']}"


def shown(row: Row) -> str:
    """A line of the terminal."""
    rate = f" {row['settings']}" if row["settings"] else ""
    return (
        f"{row['task']} {row['train']} {row['method']}{rate} seed {row['seed']}: {100 * row['zero_shot']:.1f} -> "
        f"{100 * row['adapted']:.1f} %, step {row['kept_step']} of {row['steps']}, {row['cpu']:.1f} s CPU"
    )


def alone(made: Made, method: str) -> None:
    """A method that moves nothing, or needs no labels: one row per task."""
    key = {"train": "", "method": method, "settings": {}, "seed": 0}
    if method == "none":
        made.row(key, {}, as_it_is)
    elif made.task.unfolded is not None:
        made.row(key, {}, lambda task: unlabelled.run(task, method))


def as_it_is(task: Task) -> Row:
    """The base in fixed point on the test samples."""
    watch, accuracy = Watch(), sf.evaluate(task.base(), task.test)["accuracy"]
    times, point = watch.read(), {"step": 0, "validation_loss": None, "validation_accuracy": None}
    return ours.outcome(
        zero_shot=accuracy, adapted=accuracy, kept_step=0, steps=0, forward_passes=0, curve=[point],
        seen=[ours.Seen(accuracy, times.cpu)], times=times, parameters=0,
    )  # fmt: skip


def gradient(made: Made, train: str, method: str, lr: float, seed: int) -> Row:
    """A row of backpropagation."""
    optimizer = method.removeprefix(peers.MATCHED)
    key = {"train": train, "method": method, "settings": {"lr": lr}, "seed": seed}
    resolved = peers.resolved(optimizer, train, lr, seed)
    return made.row(
        key, resolved, lambda task: peers.run(task, optimizer, train, lr, seed, first=method != optimizer)
    )


def searched(made: Made, train: str, method: str) -> list[Row]:
    """The rows of the rates that the search of an optimizer asks for, with seed 0."""
    asked: dict[float, Row] = {}

    def loss(lr: float) -> float:
        asked[lr] = gradient(made, train, method, lr, 0)
        return asked[lr]["validation_loss"]

    start = peers.start(method.removeprefix(peers.MATCHED), TASKS[made.name].kind, train)
    loss(start)
    peers.best_rate(loss, start, asked[start]["base_loss"])
    return list(asked.values())


def backpropagation(made: Made, train: str, methods: list[str], seeds: list[int], lr: float | None) -> None:
    """The rates that seed 0 likes best with every seed; the tables take the best of them over all seeds."""
    if lr is None:
        tried = [row for method in methods for row in searched(made, train, method)]
        tried.sort(key=lambda row: row["validation_loss"])
        finalists = [(row["method"], row["settings"]["lr"]) for row in tried[: peers.FINALISTS]]
    else:
        finalists = [(method, lr) for method in methods]
    for method, own in finalists:
        for seed in seeds:
            gradient(made, train, method, own, seed)


def forward_only(made: Made, train: str, name: str, given: Row, seeds: list[int]) -> None:
    """A candidate with every seed."""
    settings = settings_of(name, given, train)
    for seed in seeds:
        key = {"train": train, "method": f"ours:{name}", "settings": settings, "seed": seed}
        made.row(
            key,
            ours.resolved(train, settings, seed),
            lambda task, seed=seed: ours.run(task, train, settings, seed),
        )


def work(made: Made, method: str, given: argparse.Namespace) -> None:
    """All rows of a method on a task."""
    kind, _, name = method.partition(":")
    if method == "none" or method in unlabelled.METHODS:
        alone(made, method)
    elif kind == "ours":
        for train in given.sets:
            forward_only(made, train, name, dict(given.set), given.seeds)
    else:
        for train in given.sets:
            backpropagation(made, train, gradients(method), given.seeds, given.lr)


def gradients(method: str) -> list[str]:
    """The rows' names of what a method of the command line runs."""
    prefix = peers.MATCHED if method.startswith(peers.MATCHED) else ""
    own = method.removeprefix(prefix)
    return [prefix + optimizer for optimizer in (peers.OPTIMIZERS if own == "backprop" else [own])]


def known(method: str) -> str:
    """A method's name, checked before any work."""
    by_gradient = method.removeprefix(peers.MATCHED) in ("backprop", *peers.OPTIMIZERS)
    if by_gradient or method.startswith("ours:") or method in ("none", *unlabelled.METHODS):
        return method
    raise argparse.ArgumentTypeError(f"no method is called {method!r}")


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is any, else as text."""
    name, _, value = text.partition("=")
    try:
        return name.replace("-", "_"), json.loads(value)
    except json.JSONDecodeError:
        return name.replace("-", "_"), value


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--list", action="store_true", help="name the tasks and their halves, and end")
    arguments.add_argument(
        "--tasks", nargs="+", default=[], help="names, patterns, kinds, 'choosing', 'reported'"
    )
    arguments.add_argument("--methods", "--method", nargs="+", type=known, default=METHODS)
    arguments.add_argument("--sets", nargs="+", default=SETS, help="trainable sets")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments.add_argument("--set", action="append", type=setting, default=[], metavar="NAME=VALUE")
    arguments.add_argument("--lr", type=float, help="of backpropagation, instead of the search")
    arguments.add_argument("--rows", type=Path, default=rows.FILE, help="the file of finished rows")
    given = arguments.parse_args()
    if given.list:
        for name, entry in TASKS.items():
            print(f"{name:34} {entry.half:9} {'' if entry.always else 'when named: '}{entry.words}")
        return
    if not DATA.exists():
        raise SystemExit(f"no data at {DATA}: set STEPFORWARD_DATA (docs/benchmarks.md)")
    torch.set_num_threads(1)
    gc.freeze()  # torch's modules, which no run of ours would have in its process, are not walked in each
    for name in chosen(given.tasks):
        made = Made(name, given.rows)
        for method in given.methods:
            work(made, method, given)


if __name__ == "__main__":
    main()
