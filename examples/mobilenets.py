"""MobileNetV2 and MobileNetV3-small in plain torch, quantized and adapted: hard-swish, squeeze-and-excitation, ReLU6.

    python examples/mobilenets.py                     # all networks, CIFAR-10 enlarged to 64 x 64
    python examples/mobilenets.py --network v3 --side 96

Weights are seeded, not trained, and batch norms are those of a fresh network: the figures say that every network runs
and what it takes, not how good it is; logits are close to 0, and the loss to that of guessing.
The modules have the layout and the names of parameters of torchvision's, so that its checkpoints load
(`load_state_dict`), with its number of classes. The data is `cifar10/train.npz` (images, label) under the folder
STEPFORWARD_DATA (default ../shared/data next to this repository). Needs `pip install stepforward[torch]`.
"""

import argparse
import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import stepforward as sf

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("STEPFORWARD_DATA", ROOT.parent / "shared" / "data"))

V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of each stage of MobileNetV2: expansion, channels, blocks, stride of the first."""

V3_SMALL = (
    *((3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1)),
    *((5, 96, 40, True, "swish", 2), (5, 240, 40, True, "swish", 1), (5, 240, 40, True, "swish", 1)),
    *((5, 120, 48, True, "swish", 1), (5, 144, 48, True, "swish", 1), (5, 288, 96, True, "swish", 2)),
    *((5, 576, 96, True, "swish", 1), (5, 576, 96, True, "swish", 1)),
)
"""Of each block of MobileNetV3-small: kernel, expanded channels, channels, excitation, activation, stride."""


def eighths(value: float) -> int:
    """The nearest multiple of 8, at most a tenth below."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def layer(inputs, outputs, kernel=1, stride=1, groups=1, activation=None, eps=1e-5):
    """Convolution, batch norm and activation."""
    made = nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=eps),
    )
    return made.append(activation()) if activation else made


class Excitation(nn.Module):
    """One factor for each channel, from the mean of all."""

    def __init__(self, channels: int):
        super().__init__()
        inner = eighths(channels / 4)
        self.fc1, self.fc2 = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x times its factors."""
        mean = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * nn.functional.hardsigmoid(self.fc2(nn.functional.relu(self.fc1(mean))))


class Block(nn.Module):
    """Layers, with a shortcut where they keep the shape."""

    def __init__(self, name: str, layers: list[nn.Module], shortcut: bool):
        super().__init__()
        self.add_module(name, nn.Sequential(*layers))
        self.name, self.shortcut = name, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """What the layers give, and x."""
        y = self.get_submodule(self.name)(x)
        return x + y if self.shortcut else y


class MobileNet(nn.Module):
    """Features, their mean, a classifier."""

    def __init__(self, features: list[nn.Module], classifier: list[nn.Module]):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, 3, H, W)."""
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


def v2(classes: int) -> MobileNet:
    """MobileNetV2."""
    features, inputs = [layer(3, 32, 3, 2, activation=nn.ReLU6)], 32
    for expansion, outputs, count, stride in V2:
        for step in [stride] + [1] * (count - 1):
            wide = inputs * expansion
            layers = [layer(inputs, wide, activation=nn.ReLU6)] if expansion > 1 else []
            layers.append(layer(wide, wide, 3, step, wide, nn.ReLU6))
            layers += list(layer(wide, outputs))
            features.append(Block("conv", layers, step == 1 and inputs == outputs))
            inputs = outputs
    features.append(layer(inputs, 1280, activation=nn.ReLU6))
    return MobileNet(features, [nn.Dropout(0.2), nn.Linear(1280, classes)])


def v3_small(classes: int) -> MobileNet:
    """MobileNetV3-small."""
    eps, swish = 1e-3, nn.Hardswish
    features, inputs = [layer(3, 16, 3, 2, activation=swish, eps=eps)], 16
    for kernel, wide, outputs, excited, activation, stride in V3_SMALL:
        act = swish if activation == "swish" else nn.ReLU
        layers = [layer(inputs, wide, activation=act, eps=eps)] if wide != inputs else []
        layers.append(layer(wide, wide, kernel, stride, wide, act, eps))
        layers += [Excitation(wide)] if excited else []
        layers.append(layer(wide, outputs, eps=eps))
        features.append(Block("block", layers, stride == 1 and inputs == outputs))
        inputs = outputs
    features.append(layer(inputs, 6 * inputs, activation=swish, eps=eps))
    classifier = [nn.Linear(6 * inputs, 1024), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, classes)]
    return MobileNet(features, classifier)


NETWORKS = OrderedDict(v2=v2, v3=v3_small)


def seeded(name: str, classes: int = 10) -> MobileNet:
    """A network of seeded weights, ready for inference."""
    torch.manual_seed(0)
    net = NETWORKS[name](classes)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return net.eval()


def images(count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10, enlarged: float32 (N, 3, side, side) around 0, and labels."""
    with np.load(DATA / "cifar10" / "train.npz") as file:
        x, y = file["images"][:count], file["label"][:count].astype(np.int64)
    x = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
    return nn.functional.interpolate(x, size=(side, side), mode="bilinear").contiguous().numpy(), y


def main() -> None:
    """Quantize, score, look at the memory, adapt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--bits", default="16w8a")
    options = parser.parse_args()
    x, y = images(384, options.side)
    for name in options.network or NETWORKS:
        exported = sf.from_torch(seeded(name), x[:2])
        model = sf.quantize(exported, x[:128], bits=options.bits)
        test = x[128:], y[128:]
        floats, integers = sf.evaluate(exported, test), sf.evaluate(model, test)
        change = 100 * (integers["loss"] / floats["loss"] - 1)
        print(
            f"{name}: loss {floats['loss']:.4f} in float, {integers['loss']:.4f} in {options.bits} ({change:+.2f} %)"
        )
        for train in ("head", "all"):
            found = sf.inspect(model, train=train)
            other = sum(found["other_ram"].values())
            print(f"  {train}: {found['scratch_bytes_training'] + other:,} bytes of RAM to train")
            steps = {"steps": 2, "directions": 2, "batch": 16}
            sf.adapt(model, (x[:64], y[:64]), train=train, progress=False, **steps)


if __name__ == "__main__":
    main()
