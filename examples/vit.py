"""A small vision transformer in plain torch: trained, quantized, and adapted by forward passes to another camera.

    python examples/vit.py                       # trains for about two minutes the first time
    python examples/vit.py --steps 400 --train head

The network has the layout of DeiT (a class token, learned positions, one layer for q, k and v, layer norms before
attention and the two layers after it, GELU) with 4 blocks of 64 channels: 137,000 parameters. It learns Fashion-MNIST
as it is, then meets images that are turned, darker and noisy; 320 of these are labelled. Backpropagation in float32
gets the same samples, as a measure. The data is `fashion_mnist/*.npz` (images, label) under the folder
STEPFORWARD_DATA (default ../shared/data next to this repository). Needs `pip install stepforward[torch]`.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import stepforward as sf

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("STEPFORWARD_DATA", ROOT.parent / "shared" / "data"))
KEPT = Path(tempfile.gettempdir()) / "stepforward-vit.pt"


class Attention(nn.Module):
    """Heads that read all tokens; one layer makes q, k and v."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        found = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(found.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """Attention, then two layers, each after a layer norm and with a shortcut."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attention, self.norm2 = (
            nn.LayerNorm(width),
            Attention(width, heads),
            nn.LayerNorm(width),
        )
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, tokens, width)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """Patches as tokens, a class token before them, blocks, and a layer that reads the class token.

    Args:
        side: of an image; patch: of a patch; channels: of an image.
    """

    def __init__(self, side=28, patch=4, channels=1, width=64, heads=4, depth=4, classes=10):
        super().__init__()
        tokens = (side // patch) ** 2
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 1 + tokens, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, side, side)."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.head(self.norm(self.blocks(x + self.positions))[:, 0])


def scaled(images: np.ndarray) -> np.ndarray:
    """(N, 1, 28, 28) float32 between -1 and 1."""
    return (images[:, None].astype(np.float32) / 127.5 - 1).astype(np.float32)


def trained(x: np.ndarray, y: np.ndarray, epochs: int) -> Vit:
    """A network trained with AdamW in one cycle, or the one that an earlier call left."""
    torch.manual_seed(0)
    network = Vit()
    if KEPT.exists():
        network.load_state_dict(torch.load(KEPT))
        return network.eval()
    samples, labels = torch.from_numpy(x), torch.from_numpy(y)
    steps = epochs * -(-len(y) // 128)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(128):
            loss = nn.functional.cross_entropy(network(samples[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
    torch.save(network.state_dict(), KEPT)
    return network.eval()


def other_camera(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Turned by 25 degrees, at 60 % of the brightness, with noise."""
    turned = [np.asarray(Image.fromarray(i).rotate(25, Image.Resampling.BILINEAR)) for i in images]
    noise = np.random.default_rng(seed).normal(0, 0.05 * 255, images.shape)
    return np.clip(0.6 * np.stack(turned) + noise, 0, 255)


def main() -> None:
    """Train, quantize, score, adapt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--train", default="all")
    parser.add_argument("--bits", default="16w8a")
    options = parser.parse_args()
    files = [
        np.load(DATA / "fashion_mnist" / f"{part}.npz", allow_pickle=False) for part in ("train", "test")
    ]
    (x, y), (test, answers) = ((scaled(file["images"]), file["label"].astype(np.int64)) for file in files)
    exported = sf.from_torch(trained(x, y, options.epochs), x[:2])
    for bits in ("float", "16w8a", "8w8a"):
        model = exported if bits == "float" else sf.quantize(exported, x[:256], bits=bits)
        found = sf.evaluate(model, (test, answers))
        print(f"{bits}: {100 * found['accuracy']:.2f} %, loss {found['loss']:.4f}")
    turned = scaled(other_camera(files[1]["images"][:2320]))
    seen, rest = (turned[:320], answers[:320]), (turned[320:], answers[320:2320])
    model = sf.quantize(exported, x[:256], bits=options.bits)
    for method in ("qzo-ff", "backprop"):
        given = {"steps": options.steps, "train": options.train, "method": method}
        found = sf.adapt(model, seen, test=rest, progress=False, **given)
        before, after = (100 * found[f"{when}_accuracy"] for when in ("zero_shot", "adapted"))
        print(f"{method}, {options.train}: {before:.1f} % before, {after:.1f} % after")


if __name__ == "__main__":
    main()
