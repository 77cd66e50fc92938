"""The last layer by its exact gradient next to votes and backpropagation: two speakers and ResNet-8.

Every variant starts from the same integers and has the same samples, split, steps and choice of weights; the rate of
votes on a head is what the rule for automatic rates gave on other heads. A step of `head` with an exact tail costs one
forward pass per sample, one with votes two.

Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import DATA, kept_loss, percent, table, write
from learning.tasks.resnets import resnet8
from learning.tasks.speakers import speaker
from learning.tasks.task import Task, from_module

import stepforward as sf

STEPS = {"speakers": 500, "objects": 200}
RATES = (1.0, 4.0, 8.0)
EXACT = {f"exact, rate {rate:g}": {"tail": "exact", "tail_rate": rate} for rate in RATES}
BACKPROP = {f"backprop, rate {lr:g}": {"method": "backprop", "lr": lr} for lr in (1e-2, 3e-2, 1e-1)}
VARIANTS = {
    "head": {"votes": {"lr": 4e-2}} | EXACT | BACKPROP,
    "all": {"votes": {}, "votes, rate 4e-3": {"lr": 4e-3}}
    | {name: options | {"lr": 4e-3} for name, options in EXACT.items()},
}


def objects() -> Task:
    """CIFAR-10 images with noise of severity 5: 400 for adaptation, 600 for testing."""
    file = np.load(DATA / "cifar10c" / "severity5.npz", allow_pickle=False)
    x = np.ascontiguousarray(file["gaussian_noise"].transpose(0, 3, 1, 2), np.float32)
    y = file["label"].astype(np.int64)
    model = from_module(resnet8(), (3, 32, 32))
    return Task(model, calibration=x[:400], data=(x[:400], y[:400]), test=(x[400:], y[400:]))


TASKS: dict[str, tuple[Callable[[], Task], tuple[str, ...], int]] = {
    **{
        name: (lambda name=name: speaker(name), ("head", "all"), STEPS["speakers"])
        for name in ("george", "jackson")
    },
    "ResNet-8, noise": (objects, ("head",), STEPS["objects"]),
}


def adapted(base: Any, task: Task, steps: int, **options: Any) -> dict:
    """One run: what it ended with."""
    own = {"preset": "first-release", "threads": 1, "steps": steps, "progress": False}
    result = sf.adapt(base, task.data, test=task.test, **own, **options)
    keys = ("zero_shot_accuracy", "adapted_accuracy", "kept_step", "forward_passes", "steps_per_second")
    return {
        **{key: result[key] for key in keys},
        "validation_loss": kept_loss(result),
        "state": state_of(result),
    }


def state_of(result: dict) -> int:
    """Bytes of the tail's sums on a device."""
    return result["other_ram"].get("sums of the exact tail", 0)


def row(name: str, task: Task, train: str, variant: str, steps: int, seeds: int) -> dict:
    """One variant on one task."""
    base = task.base()
    runs = [adapted(base, task, steps, train=train, seed=s, **VARIANTS[train][variant]) for s in range(seeds)]
    accuracy = [run["adapted_accuracy"] for run in runs]
    found = {
        "task": name,
        "train": train,
        "variant": variant,
        "zero_shot": percent(runs[0]["zero_shot_accuracy"]),
        "accuracy": f"{percent(statistics.mean(accuracy))} ({100 * min(accuracy):.1f} to {100 * max(accuracy):.1f})",
        "loss": f"{statistics.mean(run['validation_loss'] for run in runs):.3f}",
        "passes": f"{runs[0]['forward_passes']:,}",
        "steps_per_second": round(statistics.median(run["steps_per_second"] for run in runs)),
        "state": runs[0]["state"],
    }
    print(found, flush=True)
    return found | {"runs": runs}


HEADINGS = {
    "task": "task",
    "train": "`--train`",
    "variant": "head moves by",
    "zero_shot": "zero-shot",
    "accuracy": "accuracy (range)",
    "loss": "held-out loss",
    "passes": "forward passes",
    "steps_per_second": "steps/s",
    "state": "bytes of sums",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    seeds = arguments.parse_args().seeds
    torch.set_num_threads(1)
    rows = []
    for name, (make, trains, steps) in TASKS.items():
        task = make()
        for train in trains:
            rows += [row(name, task, train, variant, steps, seeds) for variant in VARIANTS[train]]
    print(table(rows, HEADINGS))
    write("tail", {"seeds": seeds, "steps": STEPS, "table": rows})


if __name__ == "__main__":
    main()
