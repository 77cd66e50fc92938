"""Networks that the bench trains itself: each once, kept as plain arrays in a folder that git ignores.

One thread and fixed seeds: the same processor and release of torch give the same bits again.
"""

from collections.abc import Callable

import numpy as np
import torch
from common import ROOT

FOLDER = ROOT / "build" / "learning"


def kept(name: str, network: torch.nn.Module, train: Callable[[torch.nn.Module], torch.nn.Module]):
    """The network with the weights of an earlier call of the same name, or trained now.

    Args:
        name: of the file; holds everything that decides the training.
        network: of the right shapes.
        train: gives it trained weights; may give another module of the same class.
    """
    path = FOLDER / f"{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            network.load_state_dict({key: torch.from_numpy(file[key]) for key in file.files})
        return network.eval()
    print(f"training {name}", flush=True)
    network = train(network).eval()
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **{key: tensor.numpy() for key, tensor in network.state_dict().items()})
    part.replace(path)
    return network


def fit(
    network: torch.nn.Module,
    batches: Callable[[torch.Generator], list[tuple[torch.Tensor, torch.Tensor]]],
    epochs: int,
    lr: float = 1e-3,
    seed: int = 0,
) -> torch.nn.Module:
    """Adam, one cosine to 0 over all epochs; `batches` gives those of an epoch, as many every time."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    schedule = None
    network.train()
    for _ in range(epochs):
        epoch = batches(generator)
        schedule = schedule or torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(epoch))
        for x, y in epoch:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
            schedule.step()
    return network.eval()
