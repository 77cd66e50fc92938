"""Tasks that chose nothing: QZO-FF with the defaults it ships with, next to well-tuned float backpropagation.

The demo's speaker was in view when the defaults were chosen; none of these tasks was. Digit recognisers meet two
other speakers, a new CNN meets rotated and noisy Fashion-MNIST, and the ResNet-8 of MLPerf Tiny meets noisy CIFAR-10.
Both methods start from the same integers and get the same samples, split, number of validations and choice of
weights. QZO-FF takes every default; backpropagation gets the best of several learning rates by validation loss, again
for every seed (of split, sample order and directions).

Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import DATA, ROOT, kept_loss, paired_interval, percent, signed_points, table, write
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.graph.forward import run as run_float
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source

sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "examples"))
from learning.tasks.resnets import resnet8
from train_digits_dscnn import ADAPT_TAKES, HELD_OUT, TEST_TAKES, experiment, logarithms, read_fsdd

RATES = {
    "digits": {"all": (3e-4, 1e-3, 3e-3, 1e-2), "head": (3e-3, 1e-2, 3e-2, 1e-1)},
    "clothes": {"all": (1e-3, 3e-3, 1e-2, 3e-2), "head": (1e-3, 3e-3, 1e-2, 3e-2)},
    "objects": {"all": (1e-6, 1e-5, 3e-5), "bias": (3e-3, 1e-2, 3e-2)},
}
"""Learning rates of backpropagation, around the best one of seed 0. ResNet-8, `all`, diverges from 1e-4 up."""

Samples = tuple[NDArray[np.float32], NDArray[np.int64]]


class Task(NamedTuple):
    """A quantized network and the samples that it meets."""

    name: str
    base: Any
    data: Samples
    test: Samples
    rates: dict[str, tuple[float, ...]]


def digits() -> Iterator[Task]:
    """100 clips of a speaker for adaptation, 300 for testing; the network has heard the three others (seed 0)."""
    fsdd = read_fsdd()
    logs = logarithms(fsdd)
    y = fsdd["label"].astype(np.int64)
    for speaker in [name for name in sorted(fsdd["speaker_names"].tolist()) if name != HELD_OUT][:2]:
        network, settings, _ = experiment(fsdd, logs, speaker, seed=0, epochs=40)
        x = ((logs - settings["mean"]) / settings["std"]).numpy()
        own = fsdd["speaker_names"][fsdd["speaker"]] == speaker
        data, test = (
            (x[rows], y[rows]) for rows in (own & np.isin(fsdd["take"], t) for t in (ADAPT_TAKES, TEST_TAKES))
        )
        model = sf.from_torch(network.folded(), torch.zeros(1, 1, 32, 50))
        yield Task(f"digits, speaker {speaker}", sf.quantize(model, data[0]), data, test, RATES["digits"])


def clothes() -> Iterator[Task]:
    """Fashion-MNIST turned by 35 degrees, with noise: 320 samples for adaptation, 1,000 for testing."""
    train, test = (
        np.load(DATA / "fashion_mnist" / f"{name}.npz", allow_pickle=False) for name in ("train", "test")
    )
    network = trained(nn.Sequential(*clothes_layers()), _scaled(train["images"]), train["label"])
    rng = np.random.default_rng(0)
    turned = np.stack(
        [np.asarray(Image.fromarray(i).rotate(35, Image.BILINEAR)) for i in test["images"][:1320]]
    )
    x = _scaled(np.clip(turned + rng.normal(0, 0.2 * 255, turned.shape), 0, 255))
    y = test["label"][:1320].astype(np.int64)
    model = sf.from_torch(network, torch.zeros(1, 1, 28, 28))
    data, test = (x[:320], y[:320]), (x[320:], y[320:])
    yield Task("Fashion-MNIST, rotated and noisy", sf.quantize(model, data[0]), data, test, RATES["digits"])


def clothes_layers() -> Iterator[nn.Module]:
    """A plain CNN of 106,000 parameters."""
    for inputs, outputs in ((1, 16), (16, 32)):
        yield from (nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    yield from (nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10))


def trained(network: nn.Module, x: NDArray[np.float32], y: NDArray, epochs: int = 4) -> nn.Module:
    """Adam, one cosine from 1e-3 to 0, batches of 64, seeded."""
    torch.manual_seed(0)
    for module in network:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    x, y = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches = len(y) // 64
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(y))[: batches * 64].view(batches, 64):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _scaled(images: NDArray) -> NDArray[np.float32]:
    return (images[:, None].astype(np.float32) / 255 - 0.286) / 0.353


def objects() -> Iterator[Task]:
    """CIFAR-10 images with noise of severity 5: 400 for adaptation, 600 for testing; the network has seen neither."""
    model = sf.from_torch(resnet8(), torch.zeros(1, 3, 32, 32))
    file = np.load(DATA / "cifar10c" / "severity5.npz", allow_pickle=False)
    x = np.ascontiguousarray(
        file["gaussian_noise"].transpose(0, 3, 1, 2), np.float32
    )  # this network reads 0 to 255
    y = file["label"].astype(np.int64)
    data, test = (x[:400], y[:400]), (x[400:], y[400:])
    yield Task("ResNet-8, Gaussian noise", sf.quantize(model, data[0]), data, test, RATES["objects"])


def forward_only(task: Task, train: str, seed: int) -> dict:
    """QZO-FF; everything not named here is the default."""
    return adapted(task, train=train, seed=seed)


def gradient(task: Task, train: str, seed: int) -> dict:
    """The best of the learning rates, by the loss on the validation samples."""
    runs = [adapted(task, method="backprop", train=train, seed=seed, lr=lr) for lr in task.rates[train]]
    return min(runs, key=lambda run: run["validation_loss"])


METHODS: dict[str, Callable[[Task, str, int], dict]] = {"qzo-ff": forward_only, "backprop": gradient}


def adapted(task: Task, **options: Any) -> dict:
    """One run: what it ended with, and which test samples it classifies correctly."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        preset = None if options.get("method") == "backprop" else "first-release"
        result = sf.adapt(task.base, task.data, test=task.test, out=out, threads=1, preset=preset, **options)
        right = correct(out / "adapted.onnx", task.test)
    keys = ("zero_shot_accuracy", "adapted_accuracy", "kept_step", "steps", "trainable_parameters")
    return {
        **{key: result[key] for key in keys},
        "lr": result["settings"]["lr"],
        "validation_loss": kept_loss(result),
        "right": right,
    }


def correct(model: Any, samples: Samples) -> NDArray[np.bool_]:
    """Which samples a model classifies correctly."""
    opened = open_source(model)
    if not opened.is_float:
        program = lower(opened.network())
        logits = logits_of(CoreEngine(program, threads=1), quantize_input(program, samples[0]))
    else:
        logits = run_float(opened.model.graph, samples[0])
    return logits.argmax(1) == samples[1]


def compared(task: Task, train: str, seeds: int) -> dict:
    """One row: both methods on one task, and the paired difference between them."""
    runs = {name: [run(task, train, seed) for seed in range(seeds)] for name, run in METHODS.items()}
    right = {name: np.mean([run.pop("right") for run in own], axis=0) for name, own in runs.items()}
    row = {
        "task": task.name,
        "train": train,
        "parameters": f"{runs['qzo-ff'][0]['trainable_parameters']:,}",
        "zero_shot": percent(runs["qzo-ff"][0]["zero_shot_accuracy"]),
        "test_samples": len(task.test[1]),
        "runs": runs,
    }
    for name, own in runs.items():
        accuracy = [run["adapted_accuracy"] for run in own]
        kept = sum(run["kept_step"] == 0 for run in own)
        row[name] = (
            f"{percent(statistics.mean(accuracy))} ({100 * min(accuracy):.1f} to {100 * max(accuracy):.1f})"
        )
        row[name] += f"; kept the base in {kept} of {seeds}" if kept else ""
    low, high = paired_interval(right["qzo-ff"] - right["backprop"])
    mean = float(np.mean(right["qzo-ff"] - right["backprop"]))
    row["difference"] = f"{signed_points(mean)} ({signed_points(low)} to {signed_points(high)})"
    print({key: row[key] for key in HEADINGS}, flush=True)
    return row


SOURCES = {"digits": digits, "clothes": clothes, "objects": objects}
HEADINGS = {
    "task": "task",
    "train": "`--train`",
    "parameters": "parameters that move",
    "zero_shot": "zero-shot",
    "qzo-ff": "QZO-FF, defaults",
    "backprop": "backpropagation, float32",
    "difference": "QZO-FF less backpropagation, points (95 %)",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--only", choices=SOURCES, nargs="+", default=list(SOURCES), help="kinds of tasks")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    every = []
    for name in given.only:
        rows = [compared(task, train, given.seeds) for task in SOURCES[name]() for train in task.rates]
        print(table(rows, HEADINGS), flush=True)
        write(f"untuned_{name}", {"seeds": given.seeds, "rates": RATES[name], "table": rows})
        every += rows
    print(table(every, HEADINGS))


if __name__ == "__main__":
    main()
