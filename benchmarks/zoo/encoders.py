"""Conv4 encoders of relation networks, with their public weights: images become maps of features, not logits."""

import numpy as np
import torch
from common import DATA
from torch import Tensor, nn


class Conv4(nn.Module):
    """Images -> 64 maps, flattened."""

    def __init__(self, channels: int):
        super().__init__()
        for number, pad in enumerate((0, 0, 1, 1), 1):
            layers = [
                nn.Conv2d(channels if number == 1 else 64, 64, 3, padding=pad),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                *([nn.MaxPool2d(2)] if number < 3 else []),
            ]
            self.add_module(f"layer{number}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, side, side)."""
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).flatten(1)


def encoder(file: str, channels: int) -> nn.Module:
    """With the public weights of a file of `pretrained/conv4_relation_net`."""
    network = Conv4(channels)
    with np.load(DATA / "pretrained" / "conv4_relation_net" / f"{file}.npz", allow_pickle=False) as arrays:
        network.load_state_dict({name: torch.tensor(arrays[name]) for name in arrays.files}, strict=False)
    return network.eval()
