"""ResNet-12 as few-shot learning has it, ResNet-18 as torchvision names it, ResNet-20 and 32 of CIFAR-10."""

import numpy as np
import torch
from common import DATA
from torch import Tensor, nn
from torch.nn import functional as F


class Wide(nn.Module):
    """ResNet-12's block: three convolutions, a shortcut through a fourth, leaky ReLU, max pool."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        widths = (inputs, width, width)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            for before in widths
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, height, width)."""
        y = x
        for layer in self.layers[:2]:
            y = F.leaky_relu(layer(y), 0.1)
        return F.max_pool2d(F.leaky_relu(self.layers[2](y) + self.shortcut(x), 0.1), 2)


class ResNet12(nn.Module):
    """Images (batch, 3, side, side) -> logits; 12.4 million parameters before the last layer."""

    def __init__(self, classes=64, widths=(64, 160, 320, 640)):
        super().__init__()
        inputs = (3, *widths[:-1])
        self.blocks = nn.Sequential(*(Wide(a, b) for a, b in zip(inputs, widths, strict=True)))
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 3, side, side)."""
        return self.fc(F.adaptive_avg_pool2d(self.blocks(x), 1).flatten(1))


class Basic(nn.Module):
    """Two convolutions, a shortcut through a third where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, height, width)."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """Images (batch, 3, side, side) -> logits; 11.7 million parameters."""

    def __init__(self, classes=1000):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Basic(64, 64, 1), Basic(64, 64, 1))
        self.layer2 = nn.Sequential(Basic(64, 128, 2), Basic(128, 128, 1))
        self.layer3 = nn.Sequential(Basic(128, 256, 2), Basic(256, 256, 1))
        self.layer4 = nn.Sequential(Basic(256, 512, 2), Basic(512, 512, 1))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 3, side, side)."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class OptionA(nn.Module):
    """Two convolutions; the shortcut takes every second pixel and pads channels with zeros."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.widen = width // 4 if stride != 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, height, width)."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widen:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widen, self.widen))
        return F.relu(x + y)


class Cifar(nn.Module):
    """ResNets of CIFAR-10: three stages of `blocks` blocks; images (batch, 3, 32, 32) -> 10 logits."""

    def __init__(self, blocks: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(OptionA(16, 16, 1) for _ in range(blocks)))
        self.layer2 = nn.Sequential(OptionA(16, 32, 2), *(OptionA(32, 32, 1) for _ in range(blocks - 1)))
        self.layer3 = nn.Sequential(OptionA(32, 64, 2), *(OptionA(64, 64, 1) for _ in range(blocks - 1)))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 3, 32, 32)."""
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def of_cifar(file: str, blocks: int) -> nn.Module:
    """With the public weights of a file of `pretrained/resnet_cifar10`."""
    network = Cifar(blocks)
    with np.load(DATA / "pretrained" / "resnet_cifar10" / f"{file}.npz", allow_pickle=False) as arrays:
        network.load_state_dict({name: torch.tensor(arrays[name]) for name in arrays.files}, strict=False)
    return network.eval()


def seeded(network: nn.Module) -> nn.Module:
    """Lively weights and statistics of batch norms, as if trained."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.6)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.7, 2.0)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2 * module.in_features**-0.5)
    return network.eval()
