"""Keywords: MLPerf Tiny's DS-CNN, trained on clean speech, meets noise, slower speech and a narrow channel."""

import json
from collections.abc import Callable

import numpy as np
import torch
from common import DATA
from numpy.typing import NDArray
from torch import nn

from learning.tasks.task import Task, from_module
from stepforward.data.audio import centred, resample
from stepforward.data.mfcc import mfcc

FRONT_END = {
    "sample_rate": 16000, "samples": 16000, "peak": True, "window": 480, "hop": 320, "fft": 512, "mels": 40,
    "fmin": 20.0, "fmax": 4000.0, "floor": 1e-6, "coefficients": 10, "mean": 0.0, "std": 1.0,
}  # fmt: skip
CLASSES = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_"]
"""In the order of the network's outputs."""

CLEAN, ADAPT, TEST = slice(0, 20), slice(20, 50), slice(50, 100)
"""Clips of each class: 240 calibrate, 360 adapt, 600 test."""

Shift = Callable[[NDArray, np.random.Generator], NDArray]


def noisy(tilt: float, ratio: float) -> Shift:
    """Noise whose power falls with the frequency to the power of `tilt`, `ratio` dB below the clip's own power."""

    def change(x: NDArray, rng: np.random.Generator) -> NDArray:
        spectrum = np.fft.rfft(rng.normal(size=len(x)))
        noise = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 20) ** (tilt / 2), len(x))
        level = np.sqrt(np.mean(x**2) / np.mean(noise**2) / 10 ** (ratio / 10))
        return x + level * noise

    return change


def faster(percent: int) -> Shift:
    """Played that much faster, so higher; slower where it is negative."""
    return lambda x, rng: centred(resample(x, 100 + percent, 100), len(x))


def banded(low: float, high: float) -> Shift:
    """Through a channel that passes frequencies from `low` to `high` Hz, 24 dB per octave outside, and an echo."""

    def change(x: NDArray, rng: np.random.Generator) -> NDArray:
        frequency = np.fft.rfftfreq(2 * len(x), 1 / 16000)
        gain = 1 / np.sqrt((1 + (low / np.maximum(frequency, 1)) ** 8) * (1 + (frequency / high) ** 8))
        passed = np.fft.irfft(np.fft.rfft(x, 2 * len(x)) * gain)[: len(x)]
        echo = np.zeros_like(passed)
        echo[800:] = passed[:-800]
        return passed + 0.5 * echo

    return change


def shifted(change: Shift) -> Task:
    """360 clips for adaptation, 600 for testing, 240 clean ones for calibration."""
    with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
        names, label, codes = file["class_names"].tolist(), file["label"], file["audio_mulaw"]
    own = [np.flatnonzero(label == names.index(name)) for name in CLASSES]
    rng = np.random.default_rng(0)

    def part(clips: slice, change: Shift) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rows = np.concatenate([members[clips] for members in own])
        y = np.repeat(np.arange(len(CLASSES)), clips.stop - clips.start)
        return np.stack([mfcc(change(decoded(code), rng), FRONT_END) for code in codes[rows]]), y

    network = dscnn()
    return Task(
        model=from_module(network, (1, 49, 10)),
        calibration=part(CLEAN, lambda x, rng: x)[0],
        data=part(ADAPT, change),
        test=part(TEST, change),
    )


def decoded(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A waveform in [-1, 1] of mu-law codes."""
    u = code / 127.5 - 1
    return np.sign(u) * (256.0 ** np.abs(u) - 1) / 255


class DSCNN(nn.Sequential):
    """MLPerf Tiny's keyword spotter, batch norm folded, as it was published; MFCC (n, 1, 49, 10) -> 12 logits."""

    def __init__(self):
        # Keras pads the end of an image by one more than its beginning; torch would pad both alike.
        layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.ReLU(), nn.Conv2d(64, 64, 1), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


def dscnn() -> nn.Module:
    """With its public weights, those that the file stores in 8 bits as the numbers they stand for."""
    folder = DATA / "pretrained" / "mlperf_tiny"
    graph = json.loads((folder / "kws_dscnn_float.json").read_text())
    network = DSCNN()
    layers = iter(layer for layer in network if isinstance(layer, nn.Conv2d | nn.Linear))
    with np.load(folder / "kws_dscnn_float.npz", allow_pickle=False) as file, torch.no_grad():
        for operator in graph["operators"]:
            if operator["op"] not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                continue
            layer = next(layers)
            weight, bias = (graph["tensors"][number] for number in operator["inputs"][1:])
            values = file[weight["data_key"]] * np.float32(weight.get("scale", 1))
            if operator["op"] == "DEPTHWISE_CONV_2D":
                values = values.transpose(3, 0, 1, 2)
            elif operator["op"] == "CONV_2D":
                values = values.transpose(0, 3, 1, 2)
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(values)))
            layer.bias.copy_(torch.from_numpy(file[bias["data_key"]]))
    return network.eval()
