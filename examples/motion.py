"""A 1-D CNN and an LSTM on a CSV of samples by time and channel: trained, quantized, and adapted to another sensor.

    python examples/motion.py                    # some minutes for each network
    python examples/motion.py --network lstm --train all

This is the recipe for motion sensors: a recording is a CSV with a row for each time step, a column for each channel and
one for the label, and what a window is stands in the model (kind "windows"). No recording of motion was available, so
the channels here are 16 bands of sound over time, frames of 20 ms of spoken words, one word a
window: replace the three files by yours, and WINDOW by what your network reads. The other sensor hears each band with
a gain and an offset of its own. The data is `speech_commands12` under the folder STEPFORWARD_DATA (default
../shared/data next to this repository). Needs `pip install stepforward[torch]`.
"""

import argparse
import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import stepforward as sf
from stepforward.data.audio import log_mel

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("STEPFORWARD_DATA", ROOT.parent / "shared" / "data"))
WORDS = ("yes", "no", "up", "down", "left", "right")
BANDS, STEPS = 16, 50
COLUMNS = [f"band{number}" for number in range(BANDS)]
WINDOW = {
    "kind": "windows",
    "length": STEPS,
    "stride": STEPS,
    "columns": COLUMNS,
    "label": "word",
    "group": "clip",
}
SOUND = {
    "sample_rate": 16000, "samples": 16000, "window": 480, "hop": 320, "fft": 512, "mels": BANDS, "fmin": 60.0,
    "fmax": 7600.0, "mean": 0.0, "std": 1.0, "floor": 1e-6,
}  # fmt: skip


class Cnn(nn.Module):
    """(batch, channels, time) -> logits: three convolutions over time, and their mean."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(channels),
            *(nn.Conv1d(channels, 32, 5, padding=2), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(32, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(48, 64, 3, padding=1), nn.BatchNorm1d(64), nn.ReLU()),
        )
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, time)."""
        return self.head(self.layers(x).mean(2))


class Lstm(nn.Module):
    """(batch, time, channels) -> logits: two layers, and the mean of their states."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.lstm = nn.LSTM(channels, 48, num_layers=2, batch_first=True)
        self.head = nn.Linear(48, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, channels)."""
        return self.head(self.lstm(x)[0].mean(1))


def recordings(folder: Path) -> list[Path]:
    """Three CSV: to train on, and of other speakers through the other sensor, to adapt to and to test on."""
    with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
        names = file["class_names"][file["label"]]
        kept = np.isin(names, WORDS)
        codes, names, speakers = file["audio_mulaw"][kept], names[kept], file["speaker"][kept]
    u = codes / 127.5 - 1
    sound = np.sign(u) * (256.0 ** np.abs(u) - 1) / 255
    bands = np.stack([log_mel(one, SOUND)[0].T for one in sound])
    rng = np.random.default_rng(0)
    order = rng.permutation(np.unique(speakers))
    others = np.isin(speakers, order[: len(order) // 3])
    other = bands * rng.uniform(0.6, 1.2, BANDS) + rng.uniform(-3, 3, BANDS)
    adapt = others & np.isin(speakers, order[: len(order) // 6])
    parts = {"train": (bands, ~others), "adapt": (other, adapt), "test": (other, others & ~adapt)}
    paths = []
    for name, (values, chosen) in parts.items():
        paths.append(folder / f"{name}.csv")
        with open(paths[-1], "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["clip", *COLUMNS, "word"])
            for clip in np.flatnonzero(chosen):
                rows.writerows([clip, *(f"{v:.4f}" for v in step), names[clip]] for step in values[clip])
    return paths


def trained(network: nn.Module, x: np.ndarray, y: np.ndarray, epochs: int = 40) -> nn.Module:
    """Adam, with noise and shifts in time."""
    samples, labels = torch.from_numpy(x), torch.from_numpy(y)
    time = 2 if isinstance(network, Cnn) else 1
    steps = epochs * -(-len(y) // 32)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(32):
            moved = torch.roll(samples[rows], int(torch.randint(-6, 7, ())), time)
            loss = nn.functional.cross_entropy(network(moved + 0.4 * torch.randn_like(moved)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            cycle.step()
    return network.eval()


def main() -> None:
    """Train, quantize, score, adapt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", nargs="+", default=["cnn", "lstm"], choices=["cnn", "lstm"])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--train", default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        train, adapt, test = recordings(Path(folder))
        for name in options.network:
            torch.manual_seed(0)
            window = WINDOW | ({"channels_last": True} if name == "lstm" else {})
            known = sf.load(train, window)
            module = (Cnn if name == "cnn" else Lstm)(BANDS, len(WORDS))
            network = sf.from_torch(trained(module, known.x, known.y, options.epochs), known.x[:2])
            sf.set_preprocessing(network, window)
            sf.set_class_names(network, list(known.class_names))
            for bits in ("float", "16w8a", "8w8a"):
                model = network if bits == "float" else sf.quantize(network, train, bits=bits)
                found = sf.evaluate(model, test)
                print(f"{name}, {bits}, the other sensor: {100 * found['accuracy']:.1f} %")
            for method in ("qzo-ff", "backprop"):
                given = {"steps": options.steps, "train": options.train, "method": method}
                found = sf.adapt(sf.quantize(network, train), adapt, test=test, progress=False, **given)
                before, after = (100 * found[f"{when}_accuracy"] for when in ("zero_shot", "adapted"))
                print(f"{name}, {method}, {options.train}: {before:.1f} % before, {after:.1f} % after")


if __name__ == "__main__":
    main()
