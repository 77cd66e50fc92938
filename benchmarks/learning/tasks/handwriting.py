"""Omniglot: a CNN that knows 300 characters meets characters it does not know, or leaning writing of ones it does."""

import copy
import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from common import DATA
from numpy.typing import NDArray
from torch import Tensor, nn

from learning.tasks.kept import fit, kept
from learning.tasks.task import Task, from_module

KNOWN, EPOCHS = 300, 25
"""Characters of the background alphabets that the base has learned, from the drawers 1 to 10."""


def new_characters(first: int, count: int = 20) -> Task:
    """`count` characters of the evaluation alphabets, every third from `first`: 5 drawings adapt, 15 test.

    The last layer is that of as many characters the network knows, as a user gets who writes another script.
    """
    file = drawings()
    evaluation = np.flatnonzero(~file["alphabet_is_background"][file["class_alphabet"]])
    chosen = evaluation[first::3][:count]
    data, test = (samples(chosen, drawers) for drawers in (range(1, 6), range(6, 21)))
    return task(count, data, test)


def leaning(shear: float, degrees: float, narrow: float, count: int = 50) -> Task:
    """`count` characters the network knows, sheared, turned and narrowed: 5 drawings of new drawers adapt, 5 test."""
    data, test = (samples(known()[:count], drawers) for drawers in (range(11, 16), range(16, 21)))
    change = matrix(shear, degrees, narrow)
    return task(count, *((warped(torch.from_numpy(x), change).numpy(), y) for x, y in (data, test)))


def task(count: int, data, test) -> Task:
    """The base with a last layer of `count` characters."""
    network = kept(f"handwriting-{KNOWN}-seed0-epochs{EPOCHS}", made(), trained)
    network = copy.deepcopy(network)
    head = nn.Linear(network[-1].in_features, count)
    with torch.no_grad():
        head.weight.copy_(network[-1].weight[:count])
        head.bias.copy_(network[-1].bias[:count])
    network[-1] = head
    calibration, _ = samples(known(), range(1, 2))
    return Task(
        model=from_module(network, (1, 28, 28)),
        calibration=calibration,
        data=data,
        test=test,
        unfolded=network,
    )


def made() -> nn.Sequential:
    """Four convolutions with batch norm, 70,000 parameters without the last layer."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 24), (24, 48), (48, 64), (64, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if outputs != inputs else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, KNOWN))


def trained(network: nn.Module) -> nn.Module:
    """On drawings turned, sheared and moved a little, differently in every epoch."""
    x, y = (torch.from_numpy(array) for array in samples(known(), range(1, 11)))

    def batches(generator: torch.Generator):
        order = torch.randperm(len(y), generator=generator)[: len(y) // 50 * 50]
        spread = torch.rand(len(y), 3, generator=generator) - 0.5
        change = torch.stack([matrix(0.3 * s, 20 * d, 1 + 0.2 * n) for s, d, n in spread.tolist()])
        drawn = warped(x, change)
        return [(drawn[rows], y[rows]) for rows in order.view(-1, 50)]

    return fit(network, batches, EPOCHS, lr=4e-3)


@cache
def drawings() -> dict[str, NDArray]:
    """The data set; reading it again takes a second each."""
    with np.load(DATA / "omniglot" / "omniglot28.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def known() -> NDArray[np.int64]:
    """The characters of the base: every third of the background alphabets."""
    file = drawings()
    return np.flatnonzero(file["alphabet_is_background"][file["class_alphabet"]])[::3][:KNOWN]


def samples(characters: NDArray[np.int64], drawers: range) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Drawings with bright ink on 0, and places in the list of characters."""
    file = drawings()
    rows = np.flatnonzero(np.isin(file["label"], characters) & np.isin(file["drawer"], drawers))
    place = {int(character): number for number, character in enumerate(characters)}
    x = (255 - file["images"][rows, None]).astype(np.float32) / 255
    return x, np.array([place[int(label)] for label in file["label"][rows]], np.int64)


def matrix(shear: float, degrees: float, narrow: float) -> Tensor:
    """The 2 x 3 matrix that `warped` reads an image with."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[cosine, -sine], [sine, cosine]]) @ torch.tensor([[narrow, shear], [0.0, 1.0]])
    return torch.cat([turn, torch.zeros(2, 1)], dim=1)


def warped(x: Tensor, change: Tensor) -> Tensor:
    """Images read through one matrix, or one each."""
    grid = F.affine_grid(change.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)
