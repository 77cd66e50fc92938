"""CNN-S, CRNN-S and DNN-S, keyword spotters of ML-KWS-for-MCU, with their public weights."""

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

FOLDER = DATA / "pretrained" / "ml_kws_for_mcu"
CLASSES = ["_silence_", "_unknown_", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]


def front_end(hop: int) -> dict:
    """10 cepstral coefficients of frames of 40 ms, as TensorFlow's Mfcc computes them."""
    return {
        "sample_rate": 16000, "samples": 16000, "window": 640, "hop": hop, "fft": 1024, "mels": 40, "fmin": 20.0,
        "fmax": 4000.0, "floor": 1e-12, "coefficients": 10, "mean": 0.0, "std": 1.0,
    }  # fmt: skip


class CnnS(nn.Module):
    """MFCC (batch, 1, 49, 10) -> 12 logits: two convolutions, three layers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 28, (10, 4)), nn.BatchNorm2d(28, eps=1e-3)
        self.conv2, self.bn2 = nn.Conv2d(28, 30, (10, 4), (2, 1)), nn.BatchNorm2d(30, eps=1e-3)
        self.linear, self.fc, self.bn3 = (
            nn.Linear(1920, 16),
            nn.Linear(16, 128),
            nn.BatchNorm1d(128, eps=1e-3),
        )
        self.head = nn.Linear(128, 12)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 1, 49, 10)."""
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return self.head(F.relu(self.bn3(self.fc(self.linear(x.permute(0, 2, 3, 1).flatten(1))))))


class Gru(nn.Module):
    """A GRU cell of TensorFlow over all steps: it resets the state before the product, which torch has no layer for. In
    an export it is ONNX's operator."""

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 3 * hidden, inputs))
        self.state = nn.Parameter(torch.empty(1, 3 * hidden, hidden))
        self.bias = nn.Parameter(torch.empty(1, 6 * hidden))
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        """States (batch, steps, hidden) of x (batch, steps, inputs)."""
        if torch.compiler.is_exporting():
            operands = (x.transpose(0, 1), self.weight, self.state, self.bias)
            shape = (x.shape[1], 1, x.shape[0], self.hidden)
            attributes = {"hidden_size": self.hidden, "linear_before_reset": 0}
            states = torch.onnx.ops.symbolic(
                "GRU", operands, attributes, dtype=x.dtype, shape=shape, version=14
            )
            return states.squeeze(1).transpose(0, 1)
        n, h, found = self.hidden, x.new_zeros(len(x), self.hidden), []
        added = x @ self.weight[0].T + self.bias[0, : 3 * n] + self.bias[0, 3 * n :]
        for now in added.unbind(1):
            u, r = torch.sigmoid(now[:, : 2 * n] + h @ self.state[0, : 2 * n].T).chunk(2, dim=1)
            c = torch.tanh(now[:, 2 * n :] + (r * h) @ self.state[0, 2 * n :].T)
            h = u * h + (1 - u) * c
            found.append(h)
        return torch.stack(found, dim=1)


class CrnnS(nn.Module):
    """MFCC (batch, 1, 49, 10) -> 12 logits: a convolution, two GRU, two layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.gru1, self.gru2 = nn.Conv2d(1, 48, (10, 4), 2), Gru(192, 60), Gru(60, 60)
        self.fc, self.head = nn.Linear(60, 84), nn.Linear(84, 12)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 1, 49, 10)."""
        steps = F.relu(self.conv(x)).permute(0, 2, 3, 1).flatten(2)
        return self.head(F.relu(self.fc(self.gru2(self.gru1(steps))[:, -1])))


class DnnS(nn.Module):
    """MFCC (batch, 1, 25, 10) -> 12 logits: four layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(250, 144), nn.ReLU(), nn.Linear(144, 144), nn.ReLU(), nn.Linear(144, 144),
            nn.ReLU(), nn.Linear(144, 12),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 1, 25, 10)."""
        return self.layers(x)


def cnn_s() -> nn.Module:
    """With its public weights."""
    network, arrays = CnnS(), _arrays("CNN_S")
    with torch.no_grad():
        for layer, weight, bias in (
            (network.conv1, "Variable", "Variable_1"),
            (network.conv2, "Variable_2", "Variable_3"),
            (network.linear, "W", "b"),
            (network.fc, "Variable_4", "Variable_5"),
            (network.head, "Variable_6", "Variable_7"),
        ):
            _fill(layer, arrays[weight], arrays[bias])
        for number, norm in enumerate((network.bn1, network.bn2, network.bn3), 1):
            for target, name in (
                (norm.weight, "gamma"),
                (norm.bias, "beta"),
                (norm.running_mean, "moving_mean"),
                (norm.running_var, "moving_variance"),
            ):
                target.copy_(torch.from_numpy(arrays[f"bn{number}|{name}"]))
    return network.eval()


def crnn_s() -> nn.Module:
    """With its public weights."""
    network, arrays = CrnnS(), _arrays("CRNN_S")
    with torch.no_grad():
        for layer, weight, bias in (
            (network.conv, "W", "Variable"),
            (network.fc, "fcw", "Variable_1"),
            (network.head, "Variable_2", "Variable_3"),
        ):
            _fill(layer, arrays[weight], arrays[bias])
        for number, layer in enumerate((network.gru1, network.gru2)):
            _fill_gru(layer, *(_of_cell(arrays, number, part) for part in ("gates", "candidate")))
    return network.eval()


def _of_cell(arrays, number, part):
    name = f"rnn|multi_rnn_cell|cell_{number}|gru_cell|{part}"
    return arrays[f"{name}|kernel"], arrays[f"{name}|bias"]


def _fill_gru(layer, gates, candidate):
    """TensorFlow has reset before update, and one kernel for inputs and state."""
    (kernel, bias), (last, last_bias), n = gates, candidate, layer.hidden
    rows = np.concatenate([kernel[:, n:], kernel[:, :n], last], axis=1).T
    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(rows[None, :, :-n])))
    layer.state.copy_(torch.from_numpy(np.ascontiguousarray(rows[None, :, -n:])))
    layer.bias.zero_()[0, : 3 * n] = torch.from_numpy(np.concatenate([bias[n:], bias[:n], last_bias]))


def dnn_s() -> nn.Module:
    """With its public weights."""
    network, arrays = DnnS(), _arrays("DNN_S")
    layers = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
    names = [*((f"fc{n}|W", f"fc{n}|b") for n in (1, 2, 3)), ("final_fc", "Variable")]
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, names, strict=True):
            _fill(layer, arrays[weight], arrays[bias])
    return network.eval()


def _arrays(name: str) -> dict[str, NDArray[np.float32]]:
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _fill(layer, weight, bias):
    axes = (3, 2, 0, 1) if weight.ndim == 4 else (1, 0)
    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.transpose(axes))))
    layer.bias.copy_(torch.from_numpy(bias))
