"""The networks of the benchmark as torch modules, batch norm folded away, as everything that is deployed has it.

Weights are drawn once from a fixed seed (He's initialisation keeps activations near one through every layer): time does
not depend on accuracy. The demo's network takes the weights that ship with the package.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stepforward.digits.clips import model_path
from stepforward.graph.nodes import constant
from stepforward.sources.onnx.file import load_onnx

SEED = 7


class LeNet5(nn.Sequential):
    """LeNet-5 for 28x28 images."""

    def __init__(self):
        super().__init__(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )


class Separable(nn.Module):
    """Depthwise 3x3, pointwise 1x1, each followed by its activation."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: type[nn.Module]):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Logits or features of x."""
        return self.activation(self.pointwise(self.activation(self.depthwise(x))))


class DSCNN(nn.Module):
    """The demo's network: log-mel image (n, 1, 32, 50) -> ten digits."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 48, 3, 2, 1)
        self.blocks = nn.Sequential(*(Separable(48, 48, 2 if i == 0 else 1, nn.ReLU) for i in range(4)))
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or features of x."""
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class Residual(nn.Module):
    """Two 3x3 convolutions next to a shortcut, which is strided and padded with zeros where the image shrinks."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.stride, self.extra = stride, (width - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Logits or features of x."""
        y = self.conv2(F.relu(self.conv1(x)))
        if self.stride != 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return F.relu(x + y)


class ResNet20(nn.Module):
    """ResNet-20 for 32x32 images, shortcuts without parameters."""

    def __init__(self):
        super().__init__()
        plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.stem = nn.Conv2d(3, 16, 3, 1, 1)
        self.blocks = nn.Sequential(*(Residual(*block) for block in plan))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or features of x."""
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class MobileNetV1(nn.Module):
    """MobileNetV1 at a quarter of its width: is a person in the image (96x96)?"""

    def __init__(self):
        super().__init__()
        plan = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2)]
        plan += [(128, 128, 1)] * 5 + [(128, 256, 2), (256, 256, 1)]
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.Sequential(*(Separable(*block, nn.ReLU6) for block in plan))
        self.head = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or features of x."""
        return self.head(self.blocks(F.relu6(self.stem(x))).mean((2, 3)))


class Conv4(nn.Sequential):
    """The four-layer network of few-shot learning, 64 channels, 84x84 images, five classes."""

    def __init__(self):
        layers = []
        for inputs in (3, 64, 64, 64):
            layers += [nn.Conv2d(inputs, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(1600, 5))


class Definition(NamedTuple):
    """How a network is made, and the shape (C, H, W) of one sample."""

    module: type[nn.Module]
    shape: tuple[int, int, int]


NETWORKS = {
    "lenet5": Definition(LeNet5, (1, 28, 28)),
    "ds_cnn": Definition(DSCNN, (1, 32, 50)),
    "resnet20": Definition(ResNet20, (3, 32, 32)),
    "mobilenet_v1": Definition(MobileNetV1, (3, 96, 96)),
    "conv4": Definition(Conv4, (3, 84, 84)),
}


def build(name: str) -> nn.Module:
    """A network of NETWORKS in evaluation mode; the same weights every time."""
    network = NETWORKS[name].module()
    if name == "ds_cnn":
        shipped = load_onnx(model_path()).graph.initializers
        state = {key: torch.tensor(constant(shipped[key])) for key in network.state_dict()}
        network.load_state_dict(state)
        return network.eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = math.prod(parameter.shape[1:])
            deviation = math.sqrt(2 / fan_in) if parameter.ndim > 1 else 0.1
            parameter.normal_(0, deviation, generator=generator)
    return network.eval()


def samples(name: str, count: int) -> Tensor:
    """Standard-normal inputs, float32 (count, C, H, W): the same every time, fewer are the first of more."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.stack([torch.randn(NETWORKS[name].shape, generator=generator) for _ in range(count)])
