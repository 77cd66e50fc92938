"""CIFAR-10: public ResNets trained on clean images meet the corrupted ones of CIFAR-10-C."""

from collections.abc import Callable

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray

from learning.tasks.resnets import resnet8, resnet20
from learning.tasks.task import Task, from_module

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], Callable[[NDArray], NDArray]]] = {
    "resnet8": (resnet8, lambda images: images.astype(np.float32)),
    "resnet20": (resnet20, lambda images: (images.astype(np.float32) / 255 - MEAN) / STD),
}
"""Module and preprocessing; ResNet-8 reads 0 to 255."""

SIZES = {5: 400, 3: 100}
"""Images for adaptation by severity; the others of 1,000 and of 200 test."""


def corrupted(network: str, corruption: str, severity: int = 5) -> Task:
    """Test images with one corruption; the network has seen none of them, clean or not."""
    make, scaled = NETWORKS[network]
    with np.load(DATA / "cifar10c" / f"severity{severity}.npz", allow_pickle=False) as file:
        x, y = first_channels(scaled(file[corruption])), file["label"].astype(np.int64)
    with np.load(DATA / "cifar10" / "train.npz", allow_pickle=False) as file:
        clean = first_channels(scaled(file["images"][:256]))
    module, some = make(), SIZES[severity]
    return Task(
        model=from_module(module, (3, 32, 32)),
        calibration=clean,
        data=(x[:some], y[:some]),
        test=(x[some:], y[some:]),
        unfolded=module,
    )


def first_channels(images: NDArray) -> NDArray[np.float32]:
    """(N, H, W, C) as (N, C, H, W)."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
