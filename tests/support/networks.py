"""Small torch networks of the kinds people deploy, for tests."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


class LeNet5(nn.Module):
    def __init__(self, channels=1, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class DSCNN(nn.Module):
    def __init__(self, classes=12, width=64, blocks=4):
        super().__init__()
        self.conv = nn.Conv2d(1, width, (10, 4), 2, (5, 1), bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(separable(width, width, 1, nn.ReLU) for _ in range(blocks)))
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        return self.fc(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))


class MobileNetV1(nn.Module):
    def __init__(self, classes=10, alpha=0.25):
        super().__init__()
        plan = (
            [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
            + [(512, 1)] * 5
            + [(1024, 2), (1024, 1)]
        )
        width = int(32 * alpha)
        layers = [nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
        for channels, stride in plan:
            layers.append(separable(width, int(channels * alpha), stride, nn.ReLU6))
            width = int(channels * alpha)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        return torch.softmax(self.classifier(self.features(x).mean((2, 3))), 1)


class Conv4(nn.Module):
    def __init__(self, channels=3, width=32, classes=5):
        super().__init__()
        widths = [channels, *[width] * 4]
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
                for a, b in itertools.pairwise(widths)
            )
        )
        self.head = nn.Linear(width * 4, classes)

    def forward(self, x):
        return self.head(self.blocks(x).flatten(1))


class OptionA(nn.Module):
    """Residual block whose shortcut takes every second pixel and pads channels with zeros."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.extra = stride, (width - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return F.relu(x + y)


class ResNet20(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(OptionA(16, 16, 1), OptionA(16, 16, 1), OptionA(16, 16, 1))
        self.layer2 = nn.Sequential(OptionA(16, 32, 2), OptionA(32, 32, 1), OptionA(32, 32, 1))
        self.layer3 = nn.Sequential(OptionA(32, 64, 2), OptionA(64, 64, 1), OptionA(64, 64, 1))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        x = F.avg_pool2d(x, x.size()[3])
        return self.linear(x.view(x.size(0), -1))


class Projection(nn.Module):
    """Residual block whose shortcut is a 1x1 convolution."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(inputs, width, 1, stride) if stride != 1 else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet8(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1)
        self.bn = nn.BatchNorm2d(16)
        self.stages = nn.Sequential(Projection(16, 16, 1), Projection(16, 32, 2), Projection(32, 64, 2))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = self.stages(F.relu(self.bn(self.conv(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


def separable(inputs, outputs, stride, activation):
    """Depthwise 3x3 then pointwise convolution, each with batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        activation(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        activation(),
    )


NETWORKS = {
    "lenet5": (LeNet5, (1, 28, 28)),
    "dscnn": (DSCNN, (1, 49, 10)),
    "resnet8": (ResNet8, (3, 32, 32)),
    "resnet20": (ResNet20, (3, 32, 32)),
    "mobilenet": (MobileNetV1, (3, 64, 64)),
    "conv4": (Conv4, (3, 32, 32)),
}
"""name -> (class, shape of one sample)."""


def build(name, seed=0):
    """A network of NETWORKS with lively weights and batch-norm statistics, in evaluation mode."""
    torch.manual_seed(seed)
    network = NETWORKS[name][0]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.6)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.3, 1.5)
    return network.eval()


def sample(name, count, seed=1):
    """Standard-normal inputs for a network of NETWORKS, float32 (count, C, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *NETWORKS[name][1], generator=generator).numpy()
