"""Person or not: MLPerf Tiny's MobileNetV1 (visual wake words) on CIFAR-100's images, clean and then distorted."""

from collections.abc import Callable

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from learning.tasks.task import Task, from_module

WIDTHS = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
HALVES = (1, 3, 5, 11)
"""Outputs of the separable blocks, and those that halve the image."""

Change = Callable[[NDArray, np.random.Generator], NDArray]


def distorted(change: Change) -> Task:
    """300 images for adaptation, 380 for testing, 256 clean ones for calibration; `change` takes pixels in [0, 1]."""
    rng = np.random.default_rng(0)
    train, y = _read("train")
    test, test_y = _read("test")
    order = rng.permutation(len(y))
    clean, own = order[:256], order[256:556]
    network = mobilenet()
    return Task(
        model=from_module(network, (3, 96, 96)),
        calibration=train[clean],
        data=(_changed(train[own], change, rng), y[own]),
        test=(_changed(test, change, rng), test_y),
        unfolded=network,
    )


def _read(part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with np.load(DATA / "people32" / f"{part}.npz", allow_pickle=False) as file:
        images = [Image.fromarray(i).resize((96, 96), Image.Resampling.BICUBIC) for i in file["images"]]
        y = file["person"].astype(np.int64)
    x = np.stack([np.asarray(image, np.float32) for image in images]) / 255
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y


def _changed(x: NDArray[np.float32], change: Change, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.clip(change(x, rng), 0, 1).astype(np.float32)


def mobilenet() -> nn.Module:
    """With its public weights, batch norms in place; Keras pads a stride of two at the end alone."""
    layers: list[nn.Module] = [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2), *_norm(8)]
    inputs = 8
    for number, outputs in enumerate(WIDTHS):
        half = number in HALVES
        layers += [nn.ZeroPad2d((0, 1, 0, 1))] if half else []
        layers += [
            nn.Conv2d(inputs, inputs, 3, 2 if half else 1, 0 if half else 1, groups=inputs),
            *_norm(inputs),
        ]
        layers += [nn.Conv2d(inputs, outputs, 1), *_norm(outputs)]
        inputs = outputs
    network = nn.Sequential(*layers, nn.AvgPool2d(3), nn.Flatten(), nn.Linear(256, 2))
    with np.load(DATA / "pretrained" / "mlperf_tiny" / "vww_96_keras.npz", allow_pickle=False) as file:
        weights = {name.split("|", 1)[0] + "|" + name.rsplit("|", 1)[1]: file[name] for name in file.files}
    counts: dict[str, int] = {}
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            _fill(layer, weights, counts, "batch_normalization", gamma="weight", beta="bias")
        elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
            _fill(layer, weights, counts, "depthwise_conv2d", depthwise_kernel="weight", bias="bias")
        elif isinstance(layer, nn.Conv2d):
            _fill(layer, weights, counts, "conv2d", kernel="weight", bias="bias")
        elif isinstance(layer, nn.Linear):
            _fill(layer, weights, counts, "dense", kernel="weight", bias="bias")
    return network.eval()


def _norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU()


def _fill(
    layer: nn.Module, weights: dict[str, NDArray], counts: dict[str, int], kind: str, **names: str
) -> None:
    """The next layer's arrays of one kind."""
    number = counts.get(kind, 0)
    counts[kind] = number + 1
    if kind == "batch_normalization":
        names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    for theirs, own in names.items():
        value = torch.tensor(weights[f"{kind}_{number}|{theirs}:0" if number else f"{kind}|{theirs}:0"])
        if theirs == "depthwise_kernel":
            value = value.permute(2, 3, 0, 1)
        elif theirs == "kernel":
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T
        with torch.no_grad():
            getattr(layer, own).copy_(value)
