"""The measurements behind docs/decisions.md: one setting changed at a time on the demo's task, over several seeds."""

import argparse
import statistics

from common import percent, table, write

import stepforward as sf
from stepforward.digits.clips import load_clips, model_path
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.open import open_source
from stepforward.sources.qdq.write import quantize
from stepforward.verbs.demo import OPTIONS

CHOICES = {
    "default": ({}, {}),
    "logits of 8 bits": ({"logits_bits": 8}, {}),
    "symmetric activations": ({"symmetric": True}, {}),
    "calibration mse": ({"method": "mse"}, {}),
    "calibration percentile": ({"method": "percentile"}, {}),
    "weight scale per channel": ({"per_channel": True}, {}),
    "8-bit weights": ({"weight_bits": 8}, {}),
    "perturbation of the paper": ({}, {"perturbation": "paper"}),
    "update floored, as in the paper": ({}, {"rounding": "floor"}),
    "update rounded stochastically": ({}, {"rounding": "stochastic"}),
    "rademacher directions": ({}, {"distribution": "rademacher"}),
    "binomial directions": ({}, {"distribution": "binomial"}),
    "one direction, lr 1e-3": ({}, {"directions": 1, "lr": 1e-3}),
    "one direction, temperature 1, lr 1e-3": ({}, {"directions": 1, "temperature": 1.0, "lr": 1e-3}),
    "four directions on the whole batch": ({}, {"share_batch": False}),
    "eight directions, lr 4e-3": ({}, {"directions": 8, "lr": 4e-3}),
    "temperature 1": ({}, {"temperature": 1.0}),
    "temperature 4": ({}, {"temperature": 4.0}),
    "lr 4e-3": ({}, {"lr": 4e-3}),
    "momentum 0.9, lr 2e-4": ({}, {"momentum": 0.9, "lr": 2e-4}),
    "batch 32": ({}, {"batch": 32}),
    "epsilon 1e-3, the paper's": ({}, {"epsilon": 1e-3}),
    "epsilon 1e-2": ({}, {"epsilon": 1e-2}),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=2000)
    given = arguments.parse_args()
    opened = open_source(model_path())
    adapting, testing = (load_clips(part, opened.preprocessing) for part in ("adapt", "test"))
    rows = []
    for name, (formats, options) in CHOICES.items():
        base = quantize(opened.model, adapting.x, QuantizationSettings(**formats))
        settings = {**OPTIONS, "steps": given.steps, **options}
        settings["preset"] = "first-release"
        runs = [sf.adapt(base, adapting, test=testing, **{**settings, "seed": s}) for s in range(given.seeds)]
        accuracy = [run["adapted_accuracy"] for run in runs]
        row = {
            "choice": name,
            "zero_shot": percent(runs[0]["zero_shot_accuracy"]),
            "adapted": percent(statistics.mean(accuracy)),
            "range": f"{percent(min(accuracy))} to {percent(max(accuracy))}",
            "train_loss": f"{statistics.mean(run['curve'][-1]['train_loss'] for run in runs):.3f}",
        }
        print(row, flush=True)
        rows.append(row)
    headings = {
        "choice": "choice",
        "zero_shot": "zero-shot",
        "adapted": "adapted, mean",
        "range": "range over seeds",
        "train_loss": "training loss at the end, nats",
    }
    print(table(rows, headings))
    write("choices", {"options": vars(given), "table": rows})


if __name__ == "__main__":
    main()
