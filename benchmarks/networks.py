"""Networks people deploy, quantized to 16w8a: what it costs in loss and accuracy, what they take, and one step.

    python benchmarks/networks.py                       # all of them; finished rows are kept
    python benchmarks/networks.py --only ViT-tiny DNN-S --again

Trained networks are measured on the data of their task. Of seeded ones the loss counts, on images or frames: the mean
over all labels, each as probable as the float network says; they are brought to the state of trained ones before.
The step is one of QZO-FF on `last:2`, with any labels. Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and
the extra [torch].
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import DATA, RESULTS, ROOT, table, write
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

import stepforward as sf
from stepforward.data.mfcc import mfcc
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(ROOT / "examples"))
import mobilenets
from learning.tasks.keywords import decoded
from zoo import encoders, keywords, kwt1, residual, transformers, yamnet

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


class Sampled(NamedTuple):
    """A float network and samples; `y` is None where the network itself says how probable each label is."""

    network: torch.nn.Module
    calibration: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.int64] | None


def images(part: str, count: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """CIFAR-10, enlarged and normalized: (count, 3, side, side)."""
    with np.load(DATA / "cifar10" / f"{part}.npz", allow_pickle=False) as file:
        x, y = file["images"][:count], file["label"][:count].astype(np.int64)
    if side != 32:
        x = np.stack(
            [np.asarray(Image.fromarray(i).resize((side, side), Image.Resampling.BICUBIC)) for i in x]
        )
    x = (x.astype(np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y


def of_images(network: torch.nn.Module, side: int, count: int = 48) -> Sampled:
    """A seeded network on enlarged images."""
    x = images("train", 32, side)[0]
    return Sampled(settled(network, x), x, images("test", count, side)[0], None)


def trained_on_cifar(network: torch.nn.Module) -> Sampled:
    """On the whole test part."""
    return Sampled(network, images("train", 256, 32)[0], *images("test", 10**6, 32))


def words(network: torch.nn.Module, front_end: dict, classes: list[str]) -> Sampled:
    """On all 1,440 clips; ten of each class calibrate."""
    with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
        names, label, codes = file["class_names"].tolist(), file["label"], file["audio_mulaw"]
    x = np.stack([mfcc(decoded(code), front_end) for code in codes])
    y = np.array([classes.index(names[number]) for number in label], dtype=np.int64)
    seen = np.concatenate([np.flatnonzero(y == number)[:10] for number in range(len(classes))])
    return Sampled(network, x[seen], x, y)


def sounds() -> Sampled:
    """YAMNet on the fourth fold of ESC-10; the last layer learned of the other three."""
    folds = yamnet.sounds()
    x, y = (np.concatenate([folds[fold][part] for fold in (1, 2, 3)]) for part in (0, 1))
    return Sampled(yamnet.with_last_layer(x, y), x[::8], *folds[4])


def spectra() -> Sampled:
    """AST with a third of its blocks on 1.3 s of random log-mel frames: all twelve take 86 million parameters."""
    x = np.random.default_rng(0).normal(0, 0.5, (12, 128, 128)).astype(np.float32)
    return Sampled(
        settled(transformers.seeded(transformers.Ast(depth=4, classes=10)), x[:4]), x[:4], x[4:], None
    )


def encoded() -> Sampled:
    """An encoder without a last layer: its 2,304 features as logits."""
    network = encoders.encoder("miniimagenet_feature_encoder_5way_5shot", 3)
    return Sampled(network, images("train", 32, 32)[0], images("test", 48, 32)[0], None)


def settled(network: torch.nn.Module, x: NDArray[np.float32]) -> torch.nn.Module:
    """As after a training: batch norms have seen these samples, and the last layer tells them apart (deviation 2)."""
    samples, modules = torch.from_numpy(x), list(network.modules())
    for module in modules:
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches: there is one
    with torch.no_grad():
        network.train()(samples)
        logits = network.eval()(samples)
        last = next(module for module in reversed(modules) if isinstance(module, torch.nn.Linear))
        gain = 2 / logits.std(dim=0).mean()
        last.weight.mul_(gain)
        last.bias.sub_(gain * logits.mean(dim=0) - (gain - 1) * last.bias)
    return network


NETWORKS: dict[str, Callable[[], Sampled]] = {
    "ResNet-20": lambda: trained_on_cifar(residual.of_cifar("resnet20-12fca82f", 3)),
    "ResNet-32": lambda: trained_on_cifar(residual.of_cifar("resnet32-d509ac18", 5)),
    "CNN-S": lambda: words(keywords.cnn_s(), keywords.front_end(320), keywords.CLASSES),
    "CRNN-S": lambda: words(keywords.crnn_s(), keywords.front_end(320), keywords.CLASSES),
    "DNN-S": lambda: words(keywords.dnn_s(), keywords.front_end(640), keywords.CLASSES),
    "YAMNet-256": sounds,
    "KWT-1": lambda: words(kwt1.network(), kwt1.FRONT_END, kwt1.classes()),
    "Conv4 encoder": encoded,
    "MobileNetV3-small": lambda: of_images(mobilenets.seeded("v3"), 96),
    "ResNet-12": lambda: of_images(residual.seeded(residual.ResNet12(10)), 84),
    "ResNet-18": lambda: of_images(residual.seeded(residual.ResNet18(10)), 96),
    "ViT-tiny": lambda: of_images(transformers.seeded(transformers.Deit(classes=10)), 224, 24),
    "AST, 4 of 12 blocks": spectra,
}


def measured(name: str, made: Sampled) -> dict:
    """One row."""
    logits = _logits(made.network, made.x)
    answers = logits.argmax(1)
    wanted = logits.softmax(1) if made.y is None else torch.from_numpy(made.y)
    loss = float(F.cross_entropy(logits, wanted))
    exported = sf.from_torch(made.network, made.calibration[:2])
    start = time.perf_counter()
    base = sf.quantize(exported, made.calibration)
    seconds = time.perf_counter() - start
    found, wide = _integers(base, made.x)
    memory = sf.inspect(base)
    few = np.linspace(0, len(made.x) - 1, 16).astype(int)
    step = sf.adapt(base, (made.x[few], np.arange(16) % 4), train="last:2", steps=1, progress=False)
    return {
        "network": name,
        "weights": "seeded" if made.y is None else "trained",
        "parameters": sum(parameter.numel() for parameter in made.network.parameters()),
        "float_accuracy": None if made.y is None else float((answers.numpy() == made.y).mean()),
        "accuracy": None if made.y is None else float((found.argmax(1).numpy() == made.y).mean()),
        "float_loss": loss,
        "loss": float(F.cross_entropy(found, wanted)),
        "wide_input": wide,
        "samples": len(made.x),
        "quantize_seconds": seconds,
        "memory": {key: value for key, value in memory.items() if isinstance(value, int)},
        "moved": step["settings"]["train"],
    }


def _logits(network: torch.nn.Module, x: NDArray[np.float32]) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([network(part) for part in torch.from_numpy(x).split(16)])


def _integers(base: object, x: NDArray[np.float32]) -> tuple[torch.Tensor, bool]:
    """The logits of the program that devices run, as real numbers, and whether its input has 16 bits."""
    program = lower(open_source(base).network())
    source, output = (program.tensors[index] for index in (program.input, program.output))
    q = logits_of(CoreEngine(program), quantize_input(program, x)).astype(np.float64)
    return torch.from_numpy((q - output.zero_point) * output.scale[0]).float(), source.dtype == "s16"


def main() -> None:
    """Measure what has no row yet, print all rows."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    arguments.add_argument("--again", action="store_true", help="measure rows that there are, too")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "networks.json"
    rows = {row["network"]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for name in given.only:
        if given.again or name not in rows:
            rows[name] = measured(name, NETWORKS[name]())
            print(rows[name], flush=True)
            write("networks", {"rows": [rows[one] for one in NETWORKS if one in rows]})
    print(table([_shown(rows[name]) for name in NETWORKS if name in rows], HEADINGS))


HEADINGS = {
    "network": "network",
    "parameters": "parameters",
    "weights": "weights",
    "accuracy": "accuracy, float and 16w8a",
    "loss": "loss, float and 16w8a",
    "change": "change of loss",
}


def _shown(row: dict) -> dict:
    both = (row["float_accuracy"], row["accuracy"])
    return {
        **row,
        "parameters": f"{row['parameters']:,}",
        "accuracy": "-" if None in both else ", ".join(f"{100 * share:.2f} %" for share in both),
        "loss": f"{row['float_loss']:.4f}, {row['loss']:.4f}",
        "change": f"{100 * (row['loss'] / row['float_loss'] - 1):+.2f} %",
    }


if __name__ == "__main__":
    main()
