"""Networks that read token ids: trained on lines of this repository, quantized, and adapted to another keyboard.

    python examples/text.py                     # all three networks
    python examples/text.py --network transformer --train head

What is a piece of text: C, Python or English? The text is this repository's own, in pieces of 32 bytes, and its bytes
are the ids, so the table has 256 rows. The user's keyboard writes capitals only, of which the networks have seen
few. Other tokens work the same way: what a sample is stays (tokens,) whole numbers below the number of rows, made by
your tokenizer, and padding is an id like any other. Needs `pip install stepforward[torch]`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import stepforward as sf

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "C": "src/stepforward/core/**/*.[ch]",
    "Python": "src/stepforward/**/*.py",
    "English": "docs/*.md",
}
LENGTH, WIDTH = 32, 16
Samples = tuple[np.ndarray, np.ndarray]


class Convolutions(nn.Module):
    """ids (batch, LENGTH) -> logits: two convolutions over time, and the largest of each channel."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(256, WIDTH)
        self.layers = nn.Sequential(
            *(nn.Conv1d(WIDTH, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(32, 48, 3, padding=1), nn.ReLU()),
        )
        self.head = nn.Linear(48, len(KINDS))

    def forward(self, ids: Tensor) -> Tensor:
        """ids: whole numbers (batch, LENGTH)."""
        return self.head(self.layers(self.table(ids).transpose(1, 2)).amax(2))


class Recurrent(nn.Module):
    """ids (batch, LENGTH) -> logits: a GRU, and the mean of its states."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(256, WIDTH)
        self.gru = nn.GRU(WIDTH, 32, batch_first=True)
        self.head = nn.Linear(32, len(KINDS))

    def forward(self, ids: Tensor) -> Tensor:
        """ids: whole numbers (batch, LENGTH)."""
        return self.head(self.gru(self.table(ids))[0].mean(1))


class Transformer(nn.Module):
    """ids (batch, LENGTH) -> logits: learned positions, a block, and the mean over tokens."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(256, 2 * WIDTH)
        self.positions = nn.Embedding(LENGTH, 2 * WIDTH)
        block = nn.TransformerEncoderLayer(2 * WIDTH, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 1, enable_nested_tensor=False)
        self.head = nn.Linear(2 * WIDTH, len(KINDS))

    def forward(self, ids: Tensor) -> Tensor:
        """ids: whole numbers (batch, LENGTH)."""
        tokens = self.table(ids) + self.positions(torch.arange(LENGTH))
        return self.head(self.blocks(tokens).mean(1))


NETWORKS = {"convolutions": Convolutions, "gru": Recurrent, "transformer": Transformer}


def pieces(seed: int = 0, most: int = 1200) -> tuple[Samples, Samples, Samples]:
    """Ids and kinds: to train on; to adapt to and to test on, in capitals, each from files of its own."""
    rng = np.random.default_rng(seed)
    parts: list[list[tuple[np.ndarray, int]]] = [[], [], []]
    for kind, pattern in enumerate(KINDS.values()):
        found: list[list[np.ndarray]] = [[], [], []]
        for path in sorted(ROOT.glob(pattern)):
            words = " ".join(path.read_text(encoding="utf-8").split()).encode()
            part = int(rng.choice(3, p=(0.6, 0.1, 0.3)))
            text = np.frombuffer(words if part == 0 else words.upper(), np.uint8)
            cut = len(text) // LENGTH * LENGTH
            found[part] += list(text[:cut].reshape(-1, LENGTH))
        for part, (rows, count) in enumerate(zip(found, (most, 100, 400), strict=True)):
            chosen = rng.permutation(len(rows))[:count]
            parts[part] += [(rows[row], kind) for row in chosen]
    made = []
    for part in parts:
        order = rng.permutation(len(part))
        x = np.stack([part[row][0] for row in order]).astype(np.int64)
        made.append((x, np.array([part[row][1] for row in order])))
    return made[0], made[1], made[2]


def trained(network: nn.Module, x: np.ndarray, y: np.ndarray, epochs: int = 6) -> nn.Module:
    """Adam on cross-entropy."""
    samples, labels = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * -(-len(y) // 64))
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(samples[rows]), labels[rows]).backward()
            optimizer.step()
            cycle.step()
    return network.eval()


def main() -> None:
    """Train, quantize, score, adapt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--train", default="all")
    options = parser.parse_args()
    known, user, test = pieces()
    for name in options.network:
        torch.manual_seed(0)
        network = sf.from_torch(trained(NETWORKS[name](), *known), known[0][:2])
        sf.set_class_names(network, list(KINDS))
        base = sf.quantize(network, known)
        for bits, model in (("float", network), ("16w8a", base)):
            found = sf.evaluate(model, test)
            print(f"{name}, {bits}, capitals: {100 * found['accuracy']:.1f} %")
        for method in ("qzo-ff", "backprop"):
            given = {"steps": options.steps, "train": options.train, "method": method}
            found = sf.adapt(base, user, test=test, progress=False, **given)
            before, after = (100 * found[f"{when}_accuracy"] for when in ("zero_shot", "adapted"))
            print(f"{name}, {method}, {options.train}: {before:.1f} % before, {after:.1f} % after")


if __name__ == "__main__":
    main()
