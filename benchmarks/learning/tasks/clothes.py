"""Fashion-MNIST: a fresh CNN without batch norm, trained on the images as they are, meets distorted ones."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from learning.tasks.kept import fit, kept
from learning.tasks.task import Task, from_module

EPOCHS = 4


def turned(image: Image.Image) -> Image.Image:
    """By 35 degrees."""
    return image.rotate(35, Image.BILINEAR)


def leaning(image: Image.Image) -> Image.Image:
    """Sheared by half of its height around the middle, at half of its brightness."""
    leant = image.transform(image.size, Image.AFFINE, (1, 0.5, -7, 0, 1, 0), Image.BILINEAR)
    return leant.point(lambda value: value // 2)


def distorted(distortion: Callable[[Image.Image], Image.Image], first: int, noise: float) -> Task:
    """320 images for adaptation, 1,000 for testing, from test image `first`; noise of that deviation (white is 1)."""
    train, test = (
        np.load(DATA / "fashion_mnist" / f"{n}.npz", allow_pickle=False) for n in ("train", "test")
    )
    seen, labels = scaled(train["images"]), train["label"].astype(np.int64)
    network = nn.Sequential(*layers())
    network = kept(f"clothes-seed0-epochs{EPOCHS}", network, lambda own: trained(own, seen, labels))
    images = np.stack(
        [np.asarray(distortion(Image.fromarray(i))) for i in test["images"][first : first + 1320]]
    )
    rng = np.random.default_rng(first)
    x = scaled(np.clip(images + rng.normal(0, noise * 255, images.shape), 0, 255))
    y = test["label"][first : first + 1320].astype(np.int64)
    return Task(
        model=from_module(network, (1, 28, 28)),
        calibration=seen[:256],
        data=(x[:320], y[:320]),
        test=(x[320:], y[320:]),
    )


def layers() -> Iterator[nn.Module]:
    """A plain CNN of 106,000 parameters, with weights of seed 0."""
    torch.manual_seed(0)
    for inputs, outputs in ((1, 16), (16, 32)):
        yield from (nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    yield from (nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10))


def trained(network: nn.Module, x: NDArray[np.float32], y: NDArray[np.int64]) -> nn.Module:
    """Adam, one cosine from 1e-3 to 0, batches of 64."""
    samples, labels = torch.from_numpy(x), torch.from_numpy(y)

    def batches(generator: torch.Generator):
        order = torch.randperm(len(labels), generator=generator)[: len(labels) // 64 * 64]
        return [(samples[rows], labels[rows]) for rows in order.view(-1, 64)]

    return fit(network, batches, EPOCHS)


def scaled(images: NDArray) -> NDArray[np.float32]:
    """Mean 0, deviation 1 over the training images."""
    return ((images[:, None].astype(np.float32) / 255 - 0.286) / 0.353).astype(np.float32)
