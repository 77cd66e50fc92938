"""Train the digit recogniser that ships with `stepforward demo`, and cut the demo's clips.

A small DS-CNN learns spoken digits from three speakers of the Free Spoken Digit Dataset and never hears the
fourth. That speaker's takes 0-9 (100 clips) are the demo's adaptation clips, takes 10-39 (300 clips) its test
clips.

    python examples/train_digits_dscnn.py             # writes the shipped files again
    python examples/train_digits_dscnn.py --table     # every speaker held out in turn, three seeds each

The data is `fsdd/fsdd_4speakers.npz` under the folder STEPFORWARD_DATA (default ../shared/data next to this
repository): arrays audio (int16, 8 kHz, one recording after another), offset, label, speaker, take and
speaker_names.
Needs `pip install stepforward[torch]`.

The held-out speaker was chosen for zero-shot accuracies between 55 and 65 % from every seed, a stranger but no
hopeless case; of the three seeds, the one in the middle is shipped. Accuracies in percent (validation: takes 45-49
of the three known speakers; new speaker: takes 10-39 of the fourth), from `--table`:

    held out    validation, seeds 0 1 2    new speaker, seeds 0 1 2
    george        96.7   98.0   98.0         60.0   64.0   48.7
    jackson       98.0   97.3   99.3         59.7   52.7   53.7
    lucas         99.3   98.7   98.7         65.0   59.7   60.3
    nicolas      100.0  100.0  100.0         71.0   69.7   63.7
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stepforward.data.audio import log_mel
from stepforward.digits.clips import CLASS_NAMES

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("STEPFORWARD_DATA", ROOT.parent / "shared" / "data"))
ASSETS = ROOT / "src" / "stepforward" / "digits" / "assets"
SETTINGS = {
    "kind": "log_mel",
    "sample_rate": 8000,
    "samples": 8000,
    "window": 256,
    "hop": 160,
    "fft": 256,
    "mels": 32,
    "fmin": 60.0,
    "fmax": 4000.0,
    "mean": 0.0,
    "std": 1.0,
    "floor": 1e-6,
}
HELD_OUT, SEED = "lucas", 2
VALIDATION_TAKES = range(45, 50)
ADAPT_TAKES = range(10)
TEST_TAKES = range(10, 40)


class Block(nn.Module):
    """Depthwise 3x3, pointwise 1x1, each followed by batch norm and ReLU."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False
        )
        self.depthwise_norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.depthwise_norm(self.depthwise(x)))
        return torch.relu(self.pointwise_norm(self.pointwise(x)))


class DigitsDSCNN(nn.Module):
    """Log-mel image (n, 1, 32, 50) -> logits (n, 10)."""

    def __init__(self, channels: int = 48, blocks: int = 4):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(*(Block(channels, 2 if index == 0 else 1) for index in range(blocks)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, len(CLASS_NAMES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.stem_norm(self.stem(x))))
        return self.head(self.pool(x).flatten(1))

    def folded(self) -> "DigitsDSCNN":
        """Batch norm folded into the convolutions, which get biases; the same function in evaluation mode."""
        self.eval()
        self.stem, self.stem_norm = fuse_conv_bn_eval(self.stem, self.stem_norm), nn.Identity()
        for block in self.blocks:
            block.depthwise = fuse_conv_bn_eval(block.depthwise, block.depthwise_norm)
            block.pointwise = fuse_conv_bn_eval(block.pointwise, block.pointwise_norm)
            block.depthwise_norm = block.pointwise_norm = nn.Identity()
        return self


def read_fsdd() -> dict[str, np.ndarray]:
    with np.load(DATA / "fsdd" / "fsdd_4speakers.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def clip(fsdd: dict[str, np.ndarray], index: int) -> np.ndarray:
    return fsdd["audio"][fsdd["offset"][index] : fsdd["offset"][index + 1]]


def logarithms(fsdd: dict[str, np.ndarray]) -> Tensor:
    """ln(energy + floor) of all recordings, not normalised, (N, 1, 32, 50)."""
    return torch.from_numpy(
        np.stack([log_mel(clip(fsdd, i) / 32768.0, SETTINGS) for i in range(len(fsdd["label"]))])
    )


def augmented(logs: Tensor, generator: torch.Generator) -> Tensor:
    """Shift in time by up to 8 frames (0.16 s), change the gain by up to 10 dB, add some white noise."""
    n, frames = len(logs), logs.shape[-1]
    energy = logs.exp() - SETTINGS["floor"]
    shift = torch.randint(-8, 9, (n, 1), generator=generator)
    source = torch.arange(frames) - shift
    inside = (source >= 0) & (source < frames)
    index = source.clamp(0, frames - 1)[:, None, None, :].expand_as(energy)
    energy = energy.gather(3, index) * inside[:, None, None, :]
    gain = 10 ** (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1)
    noise = 10 ** (-7 + 3 * torch.rand(n, 1, 1, 1, generator=generator))
    texture = -torch.rand(energy.shape, generator=generator).clamp_min(1e-6).log()
    return (energy * gain + noise * texture + SETTINGS["floor"]).log()


def accuracy(network: nn.Module, x: Tensor, y: Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return (network(x).argmax(1) == y).float().mean().item()


def train(logs: Tensor, y: Tensor, mean: float, std: float, seed: int, epochs: int) -> DigitsDSCNN:
    """AdamW, one cosine from 4e-3 to 0, batches of 50."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = DigitsDSCNN()
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-2)
    batches = len(y) // 50
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in range(epochs):
        network.train()
        x = (augmented(logs, generator) - mean) / std
        for rows in torch.randperm(len(y), generator=generator)[: batches * 50].view(batches, 50):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def experiment(
    fsdd: dict[str, np.ndarray], logs: Tensor, held_out: str, seed: int, epochs: int
) -> tuple[DigitsDSCNN, dict, dict[str, float]]:
    """Train without `held_out`; returns the network, its preprocessing settings and the accuracies."""
    y = torch.from_numpy(fsdd["label"].astype(np.int64))
    stranger = torch.from_numpy(fsdd["speaker_names"][fsdd["speaker"]] == held_out)
    validation = torch.from_numpy(np.isin(fsdd["take"], VALIDATION_TAKES)) & ~stranger
    training = ~stranger & ~validation
    test = stranger & torch.from_numpy(np.isin(fsdd["take"], TEST_TAKES))
    mean, std = round(logs[training].mean().item(), 3), round(logs[training].std().item(), 3)
    network = train(logs[training], y[training], mean, std, seed, epochs)
    x = (logs - mean) / std
    scores = {
        "validation": accuracy(network, x[validation], y[validation]),
        "new speaker": accuracy(network, x[test], y[test]),
    }
    return network, SETTINGS | {"mean": mean, "std": std}, scores


def export(network: DigitsDSCNN, settings: dict, path: Path) -> None:
    """Write the folded network as ONNX, with preprocessing and class names as metadata."""
    exported = torch.onnx.export(
        network.folded(),
        (torch.zeros(2, 1, 32, 50),),
        input_names=["log_mel"],
        output_names=["logits"],
        opset_version=21,
        dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    model = exported.model_proto
    for node in model.graph.node:  # drop the exporter's notes: they hold paths of the machine that ran it
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:]
    model.graph.name = "digits_dscnn"
    onnx.helper.set_model_props(
        model,
        {
            "stepforward.preprocessing": json.dumps(settings, sort_keys=True),
            "stepforward.class_names": json.dumps(CLASS_NAMES),
        },
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def cut_clips(fsdd: dict[str, np.ndarray], speaker: str, takes: range, path: Path) -> None:
    """Write one speaker's takes, digit by digit, as one .npz of 16-bit samples."""
    chosen = [
        i
        for i in np.lexsort((fsdd["take"], fsdd["label"]))
        if fsdd["speaker_names"][fsdd["speaker"][i]] == speaker and fsdd["take"][i] in takes
    ]
    audio = [clip(fsdd, i) for i in chosen]
    np.savez_compressed(
        path,
        audio=np.concatenate(audio),
        offset=np.cumsum([0, *(len(samples) for samples in audio)], dtype=np.int32),
        label=fsdd["label"][chosen],
        take=fsdd["take"][chosen],
        speaker=np.array(speaker),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="store_true", help="hold out every speaker in turn; write nothing")
    parser.add_argument("--held-out", default=HELD_OUT, help="speaker the network never hears")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder for the network and the clips")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    fsdd = read_fsdd()
    logs = logarithms(fsdd)
    speakers, seeds = [arguments.held_out], [arguments.seed]
    if arguments.table:
        speakers, seeds = fsdd["speaker_names"].tolist(), [0, 1, 2]
    print("held out   seed  validation  new speaker")
    for speaker in speakers:
        for seed in seeds:
            network, settings, scores = experiment(fsdd, logs, speaker, seed, arguments.epochs)
            shown = "  ".join(f"{100 * score:9.1f} %" for score in scores.values())
            print(f"{speaker:10} {seed:4} {shown}", flush=True)
    if not arguments.table:
        arguments.out.mkdir(parents=True, exist_ok=True)
        export(network, settings, arguments.out / "digits_dscnn_float.onnx")
        cut_clips(fsdd, arguments.held_out, ADAPT_TAKES, arguments.out / "digits_adapt.npz")
        cut_clips(fsdd, arguments.held_out, TEST_TAKES, arguments.out / "digits_test.npz")


if __name__ == "__main__":
    main()
