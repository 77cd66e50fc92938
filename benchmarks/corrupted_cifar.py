"""ResNet-20 meets corrupted images: CIFAR-10 with noise or low contrast, `--train bias` and `--train all`.

QZO-FF in integers next to float32 backpropagation, with the same samples, split and choice of weights; one seed.
Backpropagation gets the best of its learning rates by validation loss. Needs the CIFAR-10 subset and the pre-trained
ResNet-20 (STEPFORWARD_DATA, see docs/benchmarks.md), and the extra [torch].
"""

import argparse
import sys

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


def gradient(base, data, test, train):
    """The best of the learning rates, by validation loss."""
    runs = [
        sf.adapt(base, data, test=test, method="backprop", train=train, lr=lr, **GRADIENT)
        for lr in RATES[train]
    ]
    return min(runs, key=kept_loss)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=600)
    arguments.add_argument("--samples", type=int, default=1000)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--lr", type=float, help="instead of the one chosen per trainable set")
    arguments.add_argument("--epsilon", type=float, default=3e-3)
    arguments.add_argument("--only", help="one run, such as noise-bias")
    given = arguments.parse_args()
    torch.set_num_threads(1)

    clean_x, _ = images_of("train", None, 256, 0)
    base = sf.quantize(network(), clean_x, calibration="minmax")
    clean = sf.evaluate(base, images_of("test", None, 1500, 0))["accuracy"]
    rows = []
    for corruption in CORRUPTIONS:
        data = images_of("train", corruption, given.samples, 1)
        test = images_of("test", corruption, 1500, 2)
        for train, lr in (("bias", 2e-2), ("all", 2e-3)):
            if given.only and given.only != f"{corruption}-{train}":
                continue
            options = {"train": train, "lr": given.lr or lr, "steps": given.steps, "batch": given.batch}
            options["epsilon"] = given.epsilon
            runs = {"qzo-ff": sf.adapt(base, data, test=test, preset="first-release", **options)}
            runs["backprop"] = gradient(base, data, test, train)
            for method, result in runs.items():
                row = {
                    "corruption": corruption,
                    "method": method,
                    "train": train,
                    "parameters": result["trainable_parameters"],
                    "lr": result["settings"]["lr"],
                    "zero_shot": percent(result["zero_shot_accuracy"]),
                    "adapted": percent(result["adapted_accuracy"]),
                    "kept": result["kept"],
                    "seconds": round(result["seconds"]),
                    "scratch": f"{result['scratch_bytes_training']:,} B",
                }
                print(row, flush=True)
                rows.append(row)
    headings = {
        "corruption": "corruption",
        "method": "method",
        "train": "`--train`",
        "parameters": "parameters that move",
        "zero_shot": "zero-shot",
        "adapted": "adapted",
        "kept": "kept",
        "scratch": "training scratch",
        "seconds": "seconds",
    }
    print(table(rows, headings))
    if not given.only:
        write("corrupted_cifar", {"clean_accuracy": clean, "options": vars(given), "runs": rows})


if __name__ == "__main__":
    main()
