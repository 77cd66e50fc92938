"""Two public ResNets with their weights, batch norms in place."""

import sys

import numpy as np
import torch
from common import DATA, ROOT
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(ROOT / "tests" / "support"))
from networks import ResNet8, ResNet20  # the definitions the tests use


def resnet20() -> nn.Module:
    """ResNet-20 of github.com/akamaster/pytorch_resnet_cifar10."""
    path = DATA / "pretrained" / "resnet_cifar10" / "resnet20-12fca82f.npz"
    network = ResNet20()
    with np.load(path, allow_pickle=False) as file:
        network.load_state_dict({name: torch.tensor(file[name]) for name in file.files}, strict=False)
    return network.eval()


def resnet8() -> nn.Module:
    """MLPerf Tiny's ResNet-8 with its public weights."""
    path = DATA / "pretrained" / "mlperf_tiny" / "resnet8_cifar10_keras.npz"
    with np.load(path, allow_pickle=False) as file:
        weights = {name.split("|", 1)[0] + "|" + name.rsplit("|", 1)[1]: file[name] for name in file.files}
    network = ResNet8()
    # Keras pads a convolution of stride two at the end; torch would pad at the start as well.
    for stage in network.stages[1:]:
        stage.conv1 = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), _unpadded(stage.conv1))
    first, second, third = network.stages
    convolutions = [network.conv, first.conv1, first.conv2]
    for stage in (second, third):
        convolutions += [stage.conv1[1], stage.conv2, stage.shortcut]
    norms = [network.bn, first.bn1, first.bn2, second.bn1, second.bn2, third.bn1, third.bn2]
    for number, layer in enumerate(convolutions):
        name = f"conv2d_{number}" if number else "conv2d"
        _set(layer.weight, weights[f"{name}|kernel:0"].transpose(3, 2, 0, 1))
        _set(layer.bias, weights[f"{name}|bias:0"])
    for number, layer in enumerate(norms):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        for own, theirs in (
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "moving_mean"),
            ("running_var", "moving_variance"),
        ):
            _set(getattr(layer, own), weights[f"{name}|{theirs}:0"])
        layer.eps = 1e-3
    _set(network.fc.weight, weights["dense|kernel:0"].T)
    _set(network.fc.bias, weights["dense|bias:0"])
    return network.eval()


def _unpadded(layer: nn.Conv2d) -> nn.Conv2d:
    return nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride)


def _set(tensor: torch.Tensor, values: NDArray) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(values)))
