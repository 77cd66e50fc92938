"""What each option costs a step: processor time per forward pass next to a step without it, bytes of state, and the
share of a run that the search and the first stage take before it.

    python benchmarks/step_cost.py
    python benchmarks/step_cost.py --rounds 3

The options take turns in one process, one thread, and a ratio is the median of those within a round: what the machine
does besides meets all of them. Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))
from common import write
from learning.tasks.table import make as make_task
from learning.tasks.task import Task
from step_tables import DEFAULTS, FIRST_RELEASE

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.methods.protocol import take
from stepforward.methods.table import make
from stepforward.moving.select import select
from stepforward.plan.make import fitting, for_training
from stepforward.plan.masks import masked
from stepforward.presets import with_preset
from stepforward.run import adaptation, integers
from stepforward.run.saliency import seek
from stepforward.settings import Settings
from stepforward.sources.open import open_source

TASKS = {
    "demo's DS-CNN": "speaker-lucas",
    "ResNet-8": "resnet8-contrast-5",
    "keyword DS-CNN": "keywords-white",
}
BATCH, RUN_STEPS, MOST = 128, 1000, 1 << 20


class Option(NamedTuple):
    """Settings on top of a step, and which step: the first release's with 16-bit weights unless it says so."""

    name: str
    settings: dict[str, Any]
    on: str = FIRST_RELEASE
    bits: str = "16w8a"


def _everywhere(name: str, **settings: Any) -> list[Option]:
    return [Option(name, settings), Option(name, settings, DEFAULTS)]


OPTIONS = (
    Option("plain", {}),
    Option("plain", {}, DEFAULTS),
    Option("one direction on the whole batch", {"directions": 1, "share_batch": False}),
    Option("relative sizes", {"sizes": "relative", "epsilon": 0.02, "lr": 0.01}),
    Option("graded votes", {"votes": "graded"}),
    Option("exact tail", {"tail": "exact"}),
    Option("16 directions", {"directions": 16}),
    *_everywhere("momentum", momentum=0.9),
    *_everywhere("guide", guide=0.6),
    *_everywhere("sharpness", sharpness=1),
    *_everywhere("sparse, by magnitude", sparsity=0.75, mask="magnitude"),
    *_everywhere("sparse, by threshold", sparsity=0.75, mask="threshold"),
    *_everywhere("sparse, by the seed", sparsity=0.75, mask="random"),
    Option("sparse, by saliency", {"sparsity": 0.75, "mask": "saliency"}),
    *_everywhere("Adam", optimizer="adam", momentum=0.9),
    Option("plain", {"low_bits": "direct"}, FIRST_RELEASE, "8w8a"),
    *(
        Option(f"{bits} fraction bits", {"low_bits": f"fraction-{bits}"}, FIRST_RELEASE, "8w8a")
        for bits in (8, 4, 2)
    ),
    Option("held votes, 16 steps", {"low_bits": "accumulate-16"}, FIRST_RELEASE, "8w8a"),
    Option("16-bit master weights", {"low_bits": "master"}, FIRST_RELEASE, "8w8a"),
)


class Stepping:
    """An option on a network, which takes a step when asked."""

    def __init__(self, task: Task, option: Option):
        given = {"steps": MOST, "schedule": "constant", "batch": BATCH, **option.settings}
        if option.on == FIRST_RELEASE:
            given = with_preset("first-release", given)
        program = lower(open_source(task.base(option.bits)).network())
        moving = select(program, "all")
        settings = Settings(**given)
        settings = fitting(program, moving, settings.searched())
        x, y = (part[:BATCH] for part in task.data)
        x, y = quantize_input(program, x), y.astype("int32")
        trained, plan = for_training(program, moving, settings)
        plan = masked(plan, seek(program, moving, settings, (x, y)).masks)
        engine = CoreEngine(trained, plan, threads=1)
        self._steps = take(make(settings), engine, lambda _: Batch.of(x, y), range(MOST))
        self.state_bytes = plan.state_bytes
        self.forward_passes = next(self._steps).forward_passes

    def seconds(self, count: int) -> float:
        """Processor time of a forward pass, over `count` steps."""
        started = time.process_time()
        for _ in range(count):
            next(self._steps)
        return (time.process_time() - started) / (count * self.forward_passes)


def costs(task: Task, rounds: int) -> list[dict]:
    """A row for each option."""
    stepping = {_key(option): Stepping(task, option) for option in OPTIONS}
    count = {
        option: max(1, round(0.02 / (one.seconds(1) * one.forward_passes)))
        for option, one in stepping.items()
    }
    found: dict[tuple, list[float]] = {option: [] for option in stepping}
    for _ in range(rounds):
        for option, one in stepping.items():
            found[option].append(one.seconds(count[option]))
    return [_row(option, one, found) for option, one in stepping.items()]


def _quartiles(mine: list[float], plain: list[float]) -> list[float]:
    ratios = [one / other for one, other in zip(mine, plain, strict=True)]
    return statistics.quantiles(ratios, n=4, method="inclusive")


def _row(option, one, found) -> dict:
    name, on, bits = option
    low, median, high = _quartiles(found[option], found["plain", on, bits])
    _, over, _ = _quartiles(found[option], found["plain", FIRST_RELEASE, "16w8a"])
    return {
        "option": name,
        "on": on,
        "bits": bits,
        "microseconds": round(1e6 * statistics.median(found[option]), 2),
        "ratio": round(median, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "over_first_release": round(over, 3),
        "forward_passes": one.forward_passes,
        "state_bytes": one.state_bytes,
    }


def _key(option: Option) -> tuple[str, str, str]:
    return option.name, option.on, option.bits


def before_steps(task: Task) -> dict:
    """Forward passes and processor time of the first stage and of the search of a run with the defaults; the run is
    left after its first step."""
    spent: dict[str, Any] = {}

    @contextlib.contextmanager
    def timed(part: str) -> Iterator[None]:
        started = time.process_time()
        yield
        spent[f"{part}_seconds"] = round(time.process_time() - started, 3)

    def begin(*given):
        with timed("first_stage"):
            begun = first_stage(*given)
        spent["first_stage_passes"] = begun.told.forward_passes
        return begun

    def search(*given):
        with timed("search"):
            settings, found = searching(*given)
        spent["search_passes"] = found.forward_passes
        return settings, found

    def leave(progress):
        raise KeyboardInterrupt

    first_stage, searching = adaptation.begin, integers.search
    with (
        patch.object(adaptation, "begin", begin),
        patch.object(integers, "search", search),
        contextlib.suppress(KeyboardInterrupt),
    ):
        sf.adapt(task.base(), task.data, steps=RUN_STEPS, most_steps=0, threads=1, on_progress=leave)
    return spent


def shares(spent: dict, rows: list[dict]) -> dict:
    """The same as shares of the steps of the run, in passes and in time."""
    step = next(row for row in rows if row["option"] == "plain" and row["on"] == DEFAULTS)
    passes = RUN_STEPS * step["forward_passes"]
    seconds = passes * step["microseconds"] / 1e6
    return {
        "steps": RUN_STEPS,
        "passes": passes,
        "seconds": round(seconds, 1),
        **spent,
        **{
            f"{part}_passes_share": round(spent[f"{part}_passes"] / passes, 4)
            for part in ("first_stage", "search")
        },
        **{
            f"{part}_time_share": round(spent[f"{part}_seconds"] / seconds, 4)
            for part in ("first_stage", "search")
        },
    }


def main() -> None:
    """All networks."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=15)
    words.add_argument("--networks", nargs="+", default=[*TASKS], choices=[*TASKS])
    given = words.parse_args()
    networks = {}
    for name in given.networks:
        task = make_task(TASKS[name])
        rows = costs(task, given.rounds)
        networks[name] = {"task": TASKS[name], "options": rows, "before": shares(before_steps(task), rows)}
        print(name, *rows, networks[name]["before"], sep="\n", flush=True)
    write("step_cost", {"batch": BATCH, "steps": RUN_STEPS, "rounds": given.rounds, "networks": networks})


if __name__ == "__main__":
    main()
