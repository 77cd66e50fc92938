"""Peers that need no labels, in float: batch-norm statistics of the new samples, and TENT.

Both need the network as it was before its batch norms were folded; tasks without one are left out.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learning.clock import Watch
from learning.ours import Seen, outcome
from learning.tasks.task import Task

BATCH, RATE = 64, 1e-3
"""Samples that share statistics, and TENT's rate, which is its authors' for CIFAR-10-C."""


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Batch norms in the order of the module."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def of_batches(network: nn.Module, data: Tensor, test: Tensor) -> Tensor:
    """Logits with the statistics of each test batch in place of the stored ones."""
    for norm in norms(network):
        norm.train()
    with torch.no_grad():
        return torch.cat([network(part) for part in test.split(BATCH)])


def of_data(network: nn.Module, data: Tensor, test: Tensor) -> Tensor:
    """Logits with the statistics of the adaptation samples, one layer's norm after the other being exact."""
    for norm in norms(network):
        norm.reset_running_stats()
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        network(data)
        network.eval()
        return torch.cat([network(part) for part in test.split(BATCH)])


def tent(network: nn.Module, data: Tensor, test: Tensor) -> Tensor:
    """Logits of a stream: each batch by its own statistics, then a step of Adam on gamma and beta down the entropy."""
    network.requires_grad_(False)
    moving = [p.requires_grad_() for norm in norms(network) for p in (norm.weight, norm.bias)]
    for norm in norms(network):
        norm.train()
    optimizer, seen = torch.optim.Adam(moving, lr=RATE), []
    for part in test.split(BATCH):
        logits = network(part)
        seen.append(logits.detach())
        entropy = -(logits.softmax(1) * F.log_softmax(logits, 1)).sum(1).mean()
        optimizer.zero_grad()
        entropy.backward()
        optimizer.step()
    return torch.cat(seen)


METHODS: dict[str, Callable[[nn.Module, Tensor, Tensor], Tensor]] = {
    "bn-test": of_batches,
    "bn-data": of_data,
    "tent": tent,
}


def run(task: Task, method: str) -> dict[str, Any]:
    """What a row says; the accuracy before is that of the float network as it is."""
    network = copy.deepcopy(task.unfolded)
    if network is None:
        raise ValueError("the network has no batch norms")
    data, test = torch.from_numpy(task.data[0]), torch.from_numpy(task.test[0])
    with torch.no_grad():
        before = accuracy(torch.cat([network(part) for part in test.split(BATCH)]), task.test[1])
    watch = Watch()
    after = accuracy(METHODS[method](network, data, test), task.test[1])
    times = watch.read()
    point = {"step": 0, "validation_loss": None, "validation_accuracy": None}
    return outcome(
        zero_shot=before,
        adapted=after,
        kept_step=0,
        steps=0,
        forward_passes=len(data) if method == "bn-data" else len(test),
        curve=[point],
        seen=[Seen(after, times.cpu)],
        times=times,
        parameters=0,
    )


def accuracy(logits: Tensor, y: np.ndarray) -> float:
    """Share of correct samples."""
    return float((logits.argmax(1).numpy() == y).mean())
