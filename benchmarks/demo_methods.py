"""The demo's task, method against method: same clips, split, trainable set and choice of weights.

QZO-FF in integers against float32 backpropagation (extra [torch]), all parameters and the last layer only, over several
seeds (of directions, sample order and split). Backpropagation gets the best of its learning rates by validation loss.
"""

import argparse
import statistics

import torch
from common import kept_loss, percent, table, write

import stepforward as sf
from stepforward.presets import with_preset

RATES = (1e-3, 2e-3, 5e-3, 1e-2)


def forward_only(train, seed):
    # a head of 490 parameters takes longer steps than 12,298 parameters do
    first = with_preset("first-release", {"train": train, "lr": 1e-2 if train == "head" else 2e-3})
    return sf.demo(seed=seed, **first)


def gradient(train, seed):
    runs = [sf.demo(method="backprop", train=train, seed=seed, lr=lr) for lr in RATES]
    return min(runs, key=kept_loss)


METHODS = {"qzo-ff": forward_only, "backprop": gradient}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=5)
    given = arguments.parse_args()
    torch.set_num_threads(1)  # the network is too small for two
    rows, runs = [], []
    for train in ("all", "head"):
        for method, run in METHODS.items():
            results = [run(train, seed) for seed in range(given.seeds)]
            accuracy = [result["adapted_accuracy"] for result in results]
            row = {
                "method": method,
                "train": train,
                "parameters": results[0]["trainable_parameters"],
                "zero_shot": percent(statistics.mean(result["zero_shot_accuracy"] for result in results)),
                "adapted": percent(statistics.mean(accuracy)),
                "range": f"{percent(min(accuracy))} to {percent(max(accuracy))}",
                "scratch": f"{results[0]['scratch_bytes_training']:,}",
                "seconds": f"{statistics.median(result['seconds'] for result in results):.1f}",
            }
            print(row, flush=True)
            rows.append(row)
            keys = ("adapted_accuracy", "zero_shot_accuracy", "kept_step", "seconds", "settings")
            runs += [{"method": method, "train": train, **{key: r[key] for key in keys}} for r in results]
    headings = {
        "method": "method",
        "train": "`--train`",
        "parameters": "parameters that move",
        "zero_shot": "zero-shot",
        "adapted": "adapted, mean",
        "range": "range over seeds",
        "scratch": "training scratch, bytes",
        "seconds": "seconds",
    }
    print(table(rows, headings))
    write("demo_methods", {"seeds": given.seeds, "table": rows, "runs": runs})


if __name__ == "__main__":
    main()
