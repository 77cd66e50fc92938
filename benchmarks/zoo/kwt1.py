"""KWT-1, the keyword transformer: 12 blocks of 64 channels and one head, norms after the sums; public weights.

A layer makes a token of each frame of 40 cepstral coefficients; class token; positions; 12 x (attention, norm, two
layers with GELU between them, norm). Weights are read out of the published TensorFlow Lite file. It holds the front end
too, as matrices: they are those of the preprocessing "mfcc" with `FRONT_END`.
"""

import json

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

FOLDER = DATA / "pretrained" / "kwt1"
FRAMES, COEFFICIENTS, WIDTH, DEPTH = 98, 40, 64, 12
FRONT_END = {
    "sample_rate": 16000, "samples": 16000, "window": 480, "hop": 160, "fft": 512, "mels": 80, "fmin": 20.0,
    "fmax": 7600.0, "floor": 1e-12, "coefficients": COEFFICIENTS, "mean": 0.0, "std": 1.0,
}  # fmt: skip


class Block(nn.Module):
    """Attention with one head, then two layers; a norm after each sum."""

    def __init__(self, epsilon: float):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1, self.norm2 = (nn.LayerNorm(WIDTH, eps=epsilon) for _ in range(2))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        scores = self.q(x) @ self.k(x).transpose(1, 2) * WIDTH**-0.5
        x = self.norm1(x + self.out(scores.softmax(2) @ self.v(x)))
        return self.norm2(x + self.down(F.gelu(self.up(x), approximate="tanh")))


class KWT1(nn.Module):
    """MFCC (batch, 1, 98, 40) -> 12 logits."""

    def __init__(self, epsilon: float = 1e-6):
        super().__init__()
        self.embed = nn.Linear(COEFFICIENTS, WIDTH)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.zeros(1, 1 + FRAMES, WIDTH))
        self.blocks = nn.Sequential(*(Block(epsilon) for _ in range(DEPTH)))
        self.head = nn.Linear(WIDTH, 12)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 1, frames, coefficients)."""
        x = self.embed(x[:, 0])
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.head(self.blocks(x + self.positions)[:, 0])


class _File:
    """Operators and constants of the published file, in its order."""

    def __init__(self):
        graph = json.loads((FOLDER / "kwt1_float.json").read_text())
        self.operators = graph["operators"]
        self.named = {tensor["id"]: tensor for tensor in graph["tensors"]}
        with np.load(FOLDER / "kwt1_float.npz", allow_pickle=False) as file:
            self.arrays = {key: file[key] for key in file.files}

    def constants(self, operator: dict) -> list[NDArray]:
        """What an operator reads that no other operator computes."""
        keys = [self.named[number].get("data_key") for number in operator["inputs"] if number >= 0]
        return [self.arrays[key] for key in keys if key is not None]

    def of(self, kind: str) -> list[list[NDArray]]:
        """Constants of the operators of a kind that read any."""
        found = [self.constants(operator) for operator in self.operators if operator["op"] == kind]
        return [arrays for arrays in found if arrays]


def network() -> nn.Module:
    """With its public weights."""
    file = _File()
    layers = iter(file.of("FULLY_CONNECTED")[4:])
    scales = iter(arrays[0] for arrays in file.of("MUL") if arrays[0].shape == (WIDTH,))
    offsets = iter(arrays[0] for arrays in file.of("SUB") if arrays[0].shape == (WIDTH,))
    epsilon = next(arrays[0] for arrays in file.of("ADD") if arrays[0].size == 1)
    token, positions = file.of("CONCATENATION")[0][0], next(a[0] for a in file.of("ADD") if a[0].ndim == 3)
    module = KWT1(float(epsilon))
    with torch.no_grad():
        module.token.copy_(torch.from_numpy(token))
        module.positions.copy_(torch.from_numpy(positions))
        _fill(module.embed, next(layers))
        for block in module.blocks:
            for layer in (block.q, block.k, block.v, block.out, block.up, block.down):
                _fill(layer, next(layers))
            for norm in (block.norm1, block.norm2):
                norm.weight.copy_(torch.from_numpy(next(scales)))
                norm.bias.copy_(torch.from_numpy(next(offsets)))
        _fill(module.head, next(layers))
    return module.eval()


def _fill(layer, arrays):
    layer.weight.copy_(torch.from_numpy(arrays[0]))
    if layer.bias is not None:
        layer.bias.copy_(torch.from_numpy(arrays[1]))


def classes() -> list[str]:
    """In the order of the outputs."""
    return (FOLDER / "labels.txt").read_text().split()
