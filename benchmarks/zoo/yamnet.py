"""YAMNet's trunk cut to 256 features, with its public weights, and a last layer for the ten sounds of ESC-10."""

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDER = DATA / "pretrained" / "yamnet256"
FRAMES, MELS, HOP, WINDOW = 96, 64, 160, 400
STRIDES = {2: 1, 3: 2, 4: 1, 5: 2, 6: 1}


class Trunk(nn.Module):
    """Log-mel frames (batch, 1, 96, 64) -> 256 features."""

    def __init__(self):
        super().__init__()
        layers = [*_ends(2), nn.Conv2d(1, 32, 3, 2, bias=False), _norm(32), nn.ReLU()]
        inputs = 32
        for width, stride in zip((64, 128, 128, 256, 256), STRIDES.values(), strict=True):
            layers += [*_ends(stride), nn.Conv2d(inputs, inputs, 3, stride, groups=inputs, bias=False)]
            layers += [
                _norm(inputs),
                nn.ReLU(),
                nn.Conv2d(inputs, width, 1, bias=False),
                _norm(width),
                nn.ReLU(),
            ]
            inputs = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 1, 96, 64)."""
        return self.layers(x).mean((2, 3))


def _ends(stride: int) -> list[nn.Module]:
    """Padding as Keras has it: one more at the end where a stride of 2 leaves a choice."""
    return [nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)]


def _norm(width: int) -> nn.Module:
    return nn.BatchNorm2d(width, eps=1e-4)


def trunk() -> nn.Module:
    """With its public weights."""
    network = Trunk()
    with np.load(FOLDER / "yamnet_256_f32_keras.npz", allow_pickle=False) as file, torch.no_grad():
        arrays = {key.removeprefix("model_2|").removesuffix(":0"): file[key] for key in file.files}
        modules = [m for m in network.layers if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        names = ["layer1|conv"]
        for number in STRIDES:
            names += [f"layer{number}|depthwise_conv", f"layer{number}|pointwise_conv"]
        for place, name in enumerate(names):
            conv, norm = modules[2 * place : 2 * place + 2]
            depthwise = name.endswith("depthwise_conv")
            kernel = arrays[f"{name}|depthwise_kernel" if depthwise else f"{name}|kernel"]
            kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            conv.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            norm.bias.copy_(torch.from_numpy(arrays[f"{name}|bn|beta"]))
            norm.running_mean.copy_(torch.from_numpy(arrays[f"{name}|bn|moving_mean"]))
            norm.running_var.copy_(torch.from_numpy(arrays[f"{name}|bn|moving_variance"]))
    return network.eval()


def patches(wave: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log-mel frames of whole patches of 0.96 s: (n, 1, 96, 64)."""
    count = (len(wave) - WINDOW) // HOP + 1
    start = HOP * np.arange(count)[:, None] + np.arange(WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    amplitude = np.abs(np.fft.rfft(wave[start] * window, 512))
    frames = np.log(amplitude @ _filters().T + 1e-3).astype(np.float32)
    return np.stack([frames[at : at + FRAMES] for at in range(0, count - FRAMES + 1, FRAMES)])[:, None]


def _filters() -> NDArray[np.float64]:
    def mel(frequency):
        return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)

    corners, bins = np.linspace(mel(125.0), mel(7500.0), MELS + 2), mel(np.arange(257) * 16000 / 512)
    up = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    down = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(up, down))


def sounds() -> dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Patches and classes of each fold of ESC-10; patches without sound are left out."""
    with np.load(DATA / "esc10" / "esc10_folds1to4.npz", allow_pickle=False) as file:
        codes, label, fold = file["audio_mulaw"], file["label"], file["fold"]
    u = codes / 127.5 - 1
    waves = np.sign(u) * (256.0 ** np.abs(u) - 1) / 255
    found = {}
    for number in np.unique(fold):
        x, y = [], []
        for wave, kind in zip(waves[fold == number], label[fold == number], strict=True):
            made = patches(wave)
            heard = made.max(axis=(1, 2, 3)) > -3
            x.append(made[heard])
            y.append(np.full(heard.sum(), kind, np.int64))
        found[int(number)] = np.concatenate(x), np.concatenate(y)
    return found


def with_last_layer(x: NDArray[np.float32], y: NDArray[np.int64]) -> nn.Module:
    """The trunk, and a layer that tells the classes of these patches apart, trained on its features."""
    network = trunk()
    with torch.no_grad():
        features = torch.cat([network(part) for part in torch.from_numpy(x).split(64)])
    torch.manual_seed(0)
    head, answers = nn.Linear(256, 10), torch.from_numpy(y)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2, weight_decay=1e-4)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(features), answers).backward()
        optimizer.step()
    return nn.Sequential(network, head).eval()
