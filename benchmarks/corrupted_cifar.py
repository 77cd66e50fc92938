"""ResNet-20 meets corrupted images: CIFAR-10 with noise or low contrast, `--train bias` and `--train all`.

QZO-FF in integers without any setting, next to float32 backpropagation, with the same samples and choice of weights;
three seeds. Backpropagation gets the best of its learning rates by validation loss. Needs the CIFAR-10 subset and the
pre-trained ResNet-20 (STEPFORWARD_DATA, see docs/benchmarks.md), and the extra [torch].
"""

import argparse
import itertools
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from common import DATA, ROOT, kept_loss, percent, table, write

import stepforward as sf

sys.path.insert(0, str(ROOT / "tests" / "support"))
from networks import ResNet20  # the definition the tests use

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
RATES = {"bias": (1e-2, 2e-2), "all": (1e-4, 3e-4)}
"""Learning rates of backpropagation; ten times less is slower, ten times more breaks the folded network."""
GRADIENT = {"steps": 150, "evaluate_every": 10}
SAMPLES, TEST, SEEDS = 1000, 1500, (0, 1, 2)
"""A fifth of the samples is held out."""


def noise(images, rng):
    """Additive Gaussian noise on [0, 1] pixels."""
    return np.clip(images + rng.normal(0, 0.08, images.shape), 0, 1)


def contrast(images, rng):
    """Contrast lowered to a fifth, around each image's mean."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return np.clip((images - mean) * 0.2 + mean, 0, 1)


CORRUPTIONS = {"noise": noise, "contrast": contrast}


def images_of(name, corruption, count, seed):
    file = np.load(DATA / "cifar10" / f"{name}.npz", allow_pickle=False)
    images, labels = file["images"][:count] / 255.0, file["label"][:count]
    if corruption:
        images = CORRUPTIONS[corruption](images, np.random.default_rng(seed))
    x = (images.astype(np.float32) - MEAN) / STD
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), labels.astype(np.int64)


def network():
    weights = np.load(DATA / "pretrained" / "resnet_cifar10" / "resnet20-12fca82f.npz", allow_pickle=False)
    net = ResNet20()
    net.load_state_dict({name: torch.tensor(weights[name]) for name in weights}, strict=False)
    return sf.from_torch(net.eval(), torch.zeros(1, 3, 32, 32))


def gradients(base, data, test, train):
    """Every seed with the learning rate that has the lowest validation loss with the first."""
    tried = {rate: _gradient(base, data, test, train, rate, SEEDS[0]) for rate in RATES[train]}
    best = min(tried, key=lambda rate: kept_loss(tried[rate]))
    return [tried[best], *(_gradient(base, data, test, train, best, seed) for seed in SEEDS[1:])]


def _gradient(base, data, test, train, rate, seed):
    return sf.adapt(
        base, data, test=test, method="backprop", train=train, lr=rate, seed=seed, progress=False, **GRADIENT
    )


def measured(job):
    """The rows of a corruption and a trainable set: ours without any setting, and backpropagation."""
    corruption, train = job
    torch.set_num_threads(1)
    base, data = quantized(), images_of("train", corruption, SAMPLES, 1)
    test = images_of("test", corruption, TEST, 2)
    ours = [sf.adapt(base, data, test=test, train=train, seed=s, threads=1, progress=False) for s in SEEDS]
    runs = {"qzo-ff": ours, "backprop": gradients(base, data, test, train)}
    return [row(corruption, train, method, results) for method, results in runs.items()]


def row(corruption, train, method, results):
    """What seeds of one method say together."""
    return {
        "corruption": corruption,
        "train": train,
        "method": method,
        "parameters": results[0]["trainable_parameters"],
        "zero_shot": percent(results[0]["zero_shot_accuracy"]),
        "adapted": percent(sum(result["adapted_accuracy"] for result in results) / len(results)),
        "seeds": ", ".join(percent(result["adapted_accuracy"]) for result in results),
        "kept": ", ".join(result["kept"] for result in results),
        "seconds": round(sum(result["seconds"] for result in results) / len(results)),
        "scratch": f"{results[0]['scratch_bytes_training']:,} B",
    }


def quantized():
    """The network in fixed point, by clean images."""
    return sf.quantize(network(), images_of("train", None, 256, 0)[0], calibration="minmax")


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--at-once", type=int, default=2, help="runs side by side, one thread each")
    given = arguments.parse_args()
    clean = sf.evaluate(quantized(), images_of("test", None, TEST, 0))["accuracy"]
    rows = []
    with ProcessPoolExecutor(given.at_once, multiprocessing.get_context("spawn")) as pool:
        for found in pool.map(measured, itertools.product(CORRUPTIONS, RATES)):
            print(*found, sep="\n", flush=True)
            rows += found
    headings = {
        "corruption": "corruption",
        "method": "method",
        "train": "`--train`",
        "parameters": "parameters that move",
        "zero_shot": "zero-shot",
        "adapted": "adapted",
        "seeds": "seeds",
        "kept": "kept",
        "scratch": "training scratch",
        "seconds": "seconds",
    }
    print(table(rows, headings))
    write("corrupted_cifar", {"clean_accuracy": clean, "runs": rows})


if __name__ == "__main__":
    main()
