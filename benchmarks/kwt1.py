"""KWT-1 in integers: its accuracy on 1,440 words, and what 120 noisy clips teach it.

    python benchmarks/kwt1.py                 # accuracies, then every trainable set next to backpropagation
    python benchmarks/kwt1.py --only accuracy

Needs `speech_commands12` and `pretrained/kwt1` (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from common import DATA, percent, table, write
from numpy.typing import NDArray
from torch.nn import functional as F

import stepforward as sf
from stepforward.data.mfcc import mfcc

sys.path.insert(0, str(Path(__file__).parent))
from learning.tasks.keywords import Shift, decoded, noisy
from zoo import kwt1

CALIBRATE, ADAPT, TEST = slice(0, 10), slice(10, 20), slice(20, 70)
"""Clips of each class: 120 calibrate, 120 adapt, 600 test."""
NOISE = {"white noise, -5 dB": noisy(0.0, -5.0)}
SETS = ("head", "last:2", "all")
GRADIENT = {"steps": 200, "evaluate_every": 10}
RATES = {"head": (3e-3, 3e-2), "last:2": (1e-3, 1e-2), "all": (1e-4, 1e-3)}


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


def adapted(network: torch.nn.Module, words: Words, given: argparse.Namespace) -> list[dict]:
    """What each set of parameters learns of noisy clips, in integers and by backpropagation in float32."""
    calibration = words.samples(CALIBRATE)[0]
    base = sf.quantize(sf.from_torch(network, calibration[:2]), calibration)
    rows = []
    for name, change in NOISE.items():
        data, test = words.samples(ADAPT, change, 1), words.samples(TEST, change, 2)
        for train in given.sets:
            ours = sf.adapt(base, data, test=test, train=train, steps=given.steps, progress=False)
            peers = [
                sf.adapt(
                    base, data, test=test, train=train, method="backprop", lr=lr, progress=False, **GRADIENT
                )
                for lr in RATES[train]
            ]
            peer = min(peers, key=lambda run: min(row["validation_loss"] for row in run["curve"]))
            rows.append(
                {
                    "noise": name,
                    "train": train,
                    "before": percent(ours["zero_shot_accuracy"]),
                    "after": percent(ours["adapted_accuracy"]),
                    "backprop": percent(peer["adapted_accuracy"]),
                    "seconds": round(ours["seconds"]),
                }
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, print, write down."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", choices=("accuracy", "adapt"))
    arguments.add_argument("--sets", nargs="+", default=SETS)
    arguments.add_argument("--steps", type=int, default=400)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    network, words, result = kwt1.network(), Words(), {}
    if given.only != "adapt":
        result["accuracy"] = accuracies(network, words)
        print(table(result["accuracy"], {"bits": "bits", "accuracy": "accuracy", "loss": "loss"}), flush=True)
    if given.only != "accuracy":
        result["adapted"] = adapted(network, words, given)
        print(
            table(
                result["adapted"],
                {
                    "noise": "noise",
                    "train": "`--train`",
                    "before": "before",
                    "after": "adapted",
                    "backprop": "backpropagation",
                    "seconds": "seconds",
                },
            )
        )
    if given.only is None:
        write("kwt1", {"options": {"steps": given.steps}, **result})


if __name__ == "__main__":
    main()
