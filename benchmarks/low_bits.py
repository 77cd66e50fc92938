"""Weights of 8 and 4 bits that learn: each form of `--low-bits` next to weights of 16 bits, and what each costs.

    python benchmarks/low_bits.py

Digits of speakers that the network has not heard, every default but the form and, where it says so, epsilon. The time
of a step is the best of several rounds in which the forms take turns in one process, one thread. Needs the data
(STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from common import percent, signed_points, table, write
from learning.tasks.table import make as make_task
from learning.tasks.task import Task

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.memory import memory
from stepforward.methods.protocol import take
from stepforward.methods.table import make
from stepforward.moving.select import select
from stepforward.plan.make import for_training
from stepforward.presets import with_preset
from stepforward.settings import Settings
from stepforward.sources.open import open_source

TASKS = ("speaker-lucas", "speaker-george")


class Case(NamedTuple):
    """Bits of the network, the form, and epsilon."""

    bits: str
    form: str
    epsilon: float = 3e-3

    @property
    def name(self) -> str:
        """For a table."""
        return self.form if self.epsilon == Case("", "").epsilon else f"{self.form}, epsilon {self.epsilon:g}"


WIDE = 2e-2
"""About half a quantum of 4-bit weights: with less, no probe moves a weight whose fraction is 0."""

CASES = (
    Case("16w8a", "direct"),
    *(Case("8w8a", form) for form in ("direct", "master", "fraction-8", "fraction-4", "fraction-2")),
    Case("8w8a", "accumulate-16"),
    *(Case("4w8a", form) for form in ("direct", "master")),
    *(Case("4w8a", form, WIDE) for form in ("direct", "master", "fraction-8", "accumulate-16")),
)


def learned(task: Task, case: Case, steps: int, seed: int) -> dict:
    """One run: accuracies on the test samples, of the network as it is deployed."""
    settings = {"low_bits": case.form, "steps": steps, "seed": seed, "threads": 1, "epsilon": case.epsilon}
    settings["preset"] = "first-release"
    result = sf.adapt(task.base(case.bits), task.data, test=task.test, progress=False, **settings)
    keys = ("zero_shot_accuracy", "adapted_accuracy", "kept_step", "seconds")
    return {**case._asdict(), "seed": seed, **{key: result[key] for key in keys}}


class Timed:
    """A form that takes steps when asked."""

    def __init__(self, task: Task, case: Case):
        own = {"low_bits": case.form, "steps": 100_000, "epsilon": case.epsilon}
        settings = Settings(**with_preset("first-release", own))
        program = lower(open_source(task.base(case.bits)).network())
        trained, plan = for_training(program, select(program, "all"), settings)
        x, y = quantize_input(trained, task.data[0][:80]), task.data[1][:80].astype("int32")
        self._steps = iter(
            take(
                make(settings), CoreEngine(trained, plan, threads=1), lambda _: Batch.of(x, y), range(100_000)
            )
        )
        ram = memory(trained, plan).other_ram
        weights = next(size for name, size in ram.items() if name.startswith("trainable weights"))
        self.bytes = {"weights": weights, "state": plan.state_bytes}

    def seconds(self, count: int) -> float:
        """Of `count` steps."""
        started = time.perf_counter()
        for _ in range(count):
            next(self._steps)
        return time.perf_counter() - started


def costs(task: Task, rounds: int, steps: int = 32) -> list[dict]:
    """RAM for weights and state, and the time of a step as a ratio to that of the same bits without a form."""
    cases = [case for case in CASES if case.bits != "4w8a"]
    cases += [Case("4w8a", case.form) for case in cases if case.bits == "8w8a"]
    timed = {case[:2]: Timed(task, case) for case in cases}
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(rounds):
        for key, form in timed.items():
            best[key] = min(best[key], form.seconds(steps) / steps)
    return [
        {
            "bits": bits,
            "form": form,
            **timed[bits, form].bytes,
            "milliseconds": round(1e3 * seconds, 3),
            "ratio": round(seconds / best[bits, "direct"], 3),
        }
        for (bits, form), seconds in best.items()
    ]


def row(case: Case, runs: list[dict], tasks: tuple[str, ...]) -> dict:
    """The means of a case over its seeds, for each task and for all, and the difference from 16 bits."""

    def accuracy(of: Case, task: str) -> float:
        own = [
            run for run in runs if (run["bits"], run["form"], run["epsilon"]) == of and run["task"] == task
        ]
        return statistics.fmean(run["adapted_accuracy"] for run in own)

    means = {task: accuracy(case, task) for task in tasks}
    wide = [accuracy(CASES[0], task) for task in tasks]
    everywhere = statistics.fmean(means.values())
    return {
        "bits": case.bits,
        "form": case.name,
        **{task: percent(value) for task, value in means.items()},
        "mean": percent(everywhere),
        "difference": signed_points(everywhere - statistics.fmean(wide)),
    }


def main() -> None:
    """Run, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tasks", nargs="+", default=TASKS)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--steps", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=12, help="of timing")
    given = arguments.parse_args()
    runs: list[dict] = []
    cost = costs(make_task(given.tasks[0]), given.rounds)
    print(table(cost, {key: key for key in cost[0]}), flush=True)
    for name in given.tasks:
        task = make_task(name)
        for case in CASES:
            own = [learned(task, case, given.steps, seed) for seed in range(given.seeds)]
            runs += [{"task": name, **run} for run in own]
            found = ", ".join(percent(run["adapted_accuracy"]) for run in own)
            print(name, case.bits, case.name, percent(own[0]["zero_shot_accuracy"]), "->", found, flush=True)
        tasks = tuple(dict.fromkeys(run["task"] for run in runs))
        rows = [row(case, runs, tasks) for case in CASES]
        headings = {"bits": "bits", "form": "`--low-bits`", **{done: done for done in tasks}}
        print(table(rows, headings | {"mean": "mean", "difference": "less 16w8a, points"}), flush=True)
        content = {"steps": given.steps, "seeds": given.seeds, "table": rows, "costs": cost, "runs": runs}
        write("low_bits", content)  # after each task: a run may be stopped


if __name__ == "__main__":
    main()
