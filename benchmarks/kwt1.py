"""KWT-1 in integers: its accuracy on 1,440 words, and what 120 noisy clips teach it.

    python benchmarks/kwt1.py                 # accuracies, then every trainable set next to backpropagation
    python benchmarks/kwt1.py --only accuracy
    python benchmarks/kwt1.py --only adapt --sets head last:2 --seeds 0

A finished run is a row of results/kwt1.json and is not run again; `--again` drops the rows that were asked for first.

Needs `speech_commands12` and `pretrained/kwt1` (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import numpy as np
import torch
from common import DATA, RESULTS, percent, table, write
from numpy.typing import NDArray
from torch.nn import functional as F

import stepforward as sf
from stepforward.data.mfcc import mfcc

sys.path.insert(0, str(Path(__file__).parent))
from learning.tasks.keywords import Shift, decoded, faster, noisy
from zoo import kwt1

CALIBRATE, ADAPT, TEST = slice(0, 10), slice(10, 20), slice(20, 70)
"""Clips of each class: 120 calibrate, 120 adapt, 600 test."""
CHANGES = {"white noise, -5 dB": noisy(0.0, -5.0), "25 % slower and lower": faster(-25)}
SETS, SEEDS = ("head", "last:2", "all"), (0, 1, 2)
OURS, PEER = "defaults", "backpropagation"
GRADIENT = {"method": "backprop", "steps": 100, "evaluate_every": 5}
RATES = {"head": (3e-3, 1e-2), "last:2": (1e-3, 1e-2), "all": (1e-4, 1e-3)}
"""Of SGD with momentum. The first seed runs with both, the others with the one whose held-out loss is lower there."""


class Words:
    """The clips, by class."""

    def __init__(self):
        with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
            names, label, self.codes = file["class_names"].tolist(), file["label"], file["audio_mulaw"]
        self.rows = [np.flatnonzero(label == names.index(name)) for name in kwt1.classes()]

    def samples(
        self, clips: slice, change: Shift | None = None, seed: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features (n, 1, 98, 40) and classes of some clips of each class."""
        rng, x, y = np.random.default_rng(seed), [], []
        for number, rows in enumerate(self.rows):
            for code in self.codes[rows[clips]]:
                wave = decoded(code)
                x.append(mfcc(wave if change is None else change(wave, rng), kwt1.FRONT_END))
                y.append(number)
        return np.stack(x), np.array(y, dtype=np.int64)


def of_float(network: torch.nn.Module, x: NDArray[np.float32]) -> torch.Tensor:
    """Logits."""
    with torch.no_grad():
        return torch.cat([network(part) for part in torch.from_numpy(x).split(64)])


def accuracies(network: torch.nn.Module, words: Words) -> list[dict]:
    """Float and quantized, on all clips."""
    x, y = words.samples(slice(None))
    logits, exported = of_float(network, x), sf.from_torch(network, x[:2])
    found = (logits.argmax(1).numpy() == y).mean(), float(F.cross_entropy(logits, torch.from_numpy(y)))
    rows = [{"bits": "float32", "accuracy": percent(found[0]), "loss": f"{found[1]:.4f}"}]
    for bits in ("16w8a", "8w8a"):
        made = sf.evaluate(sf.quantize(exported, words.samples(CALIBRATE)[0], bits=bits), (x, y))
        rows.append({"bits": bits, "accuracy": percent(made["accuracy"]), "loss": f"{made['loss']:.4f}"})
    return rows


def adapted(network: torch.nn.Module, words: Words, result: dict, given: argparse.Namespace) -> None:
    """What each set of parameters learns of changed clips, in integers and by backpropagation in float32: a row for
    each run, written when it ends."""
    calibration, base = words.samples(CALIBRATE)[0], None
    for change in given.changes:
        data, test = words.samples(ADAPT, CHANGES[change], 1), words.samples(TEST, CHANGES[change], 2)
        for train in given.sets:
            for seed in given.seeds:
                for method in given.methods:
                    wanted = {"change": change, "train": train, "method": method, "seed": seed}
                    if found(result, wanted):
                        continue
                    if base is None:
                        base = sf.quantize(sf.from_torch(network, calibration[:2]), calibration)
                    run = {"data": data, "test": test, "train": train, "seed": seed, "progress": False}
                    if method == OURS:
                        row = told(sf.adapt(base, **run))
                    else:
                        row = by_gradients(base, rates(result, wanted), run)
                    result["runs"].append(wanted | row)
                    print(result["runs"][-1], flush=True)
                    keep(result)


def told(run: dict) -> dict:
    """What a row keeps of a run."""
    return {
        "before": run["zero_shot_accuracy"],
        "after": run["adapted_accuracy"],
        "kept": run["kept"],
        "steps": run["steps"],
        "forward_passes": run["forward_passes"],
        "seconds": round(run["seconds"], 1),
    }


def by_gradients(base, rates: tuple[float, ...], run: dict) -> dict:
    """The run of the rate with the lowest held-out loss."""
    made = [(sf.adapt(base, lr=rate, **GRADIENT, **run), rate) for rate in rates]
    best, rate = min(made, key=lambda one: min(row["validation_loss"] for row in one[0]["curve"]))
    return {"rate": rate, **told(best)}


def rates(result: dict, wanted: dict) -> tuple[float, ...]:
    """Both, or the one that the first seed found."""
    first = found(result, wanted | {"seed": SEEDS[0]})
    return (first["rate"],) if first else RATES[wanted["train"]]


def found(result: dict, wanted: dict) -> dict | None:
    """The finished run, or None."""
    return next((row for row in result["runs"] if all(row[name] == wanted[name] for name in wanted)), None)


def keep(result: dict) -> None:
    """Write down what there is."""
    write("kwt1", result)


def written() -> dict:
    """What earlier runs wrote."""
    path = RESULTS / "kwt1.json"
    there = json.loads(path.read_text()) if path.exists() else {}
    return {"accuracy": there.get("accuracy"), "runs": there.get("runs", [])}


def summary(result: dict) -> str:
    """A line for each change and set, means over seeds."""
    lines = []
    for change in CHANGES:
        for train in SETS:
            runs = [row for row in result["runs"] if (row["change"], row["train"]) == (change, train)]
            if not runs:
                continue
            ours, peers = ([row for row in runs if row["method"] == method] for method in (OURS, PEER))
            lines.append(
                {
                    "change": change,
                    "train": f"`{train}`",
                    "before": percent(runs[0]["before"]),
                    "after": after(ours),
                    "backprop": after(peers),
                    "seconds": round(statistics.mean(row["seconds"] for row in ours)) if ours else "-",
                }
            )
    heads = {
        "change": "clips", "train": "`--train`", "before": "before", "after": "adapted",
        "backprop": "backpropagation", "seconds": "seconds",
    }  # fmt: skip
    return table(lines, heads)


def after(runs: list[dict]) -> str:
    """The mean of the accuracies, and each."""
    if not runs:
        return "-"
    each = [row["after"] for row in sorted(runs, key=lambda row: row["seed"])]
    return f"{percent(statistics.mean(each))} ({', '.join(f'{100 * one:.1f}' for one in each)})"


def main() -> None:
    """Measure what is not yet there, write down, print."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", choices=("accuracy", "adapt"))
    arguments.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    arguments.add_argument("--methods", nargs="+", choices=(OURS, PEER), default=(OURS, PEER))
    arguments.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    arguments.add_argument("--again", action="store_true")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    network, words, result = kwt1.network(), Words(), written()
    if given.again:
        result["runs"] = [row for row in result["runs"] if not asked(row, given)]
    if given.only != "adapt" and (given.again or not result["accuracy"]):
        result["accuracy"] = accuracies(network, words)
        keep(result)
    if given.only != "accuracy":
        adapted(network, words, result, given)
    if result["accuracy"]:
        print(table(result["accuracy"], {"bits": "bits", "accuracy": "accuracy", "loss": "loss"}))
    print(summary(result))


def asked(row: dict, given: argparse.Namespace) -> bool:
    """Whether a row is among what the command asks for."""
    return (
        row["change"] in given.changes
        and row["train"] in given.sets
        and row["method"] in given.methods
        and row["seed"] in given.seeds
    )


if __name__ == "__main__":
    main()
