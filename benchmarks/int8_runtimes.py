"""Int8 TensorFlow Lite files of MLPerf Tiny against the runtimes that programs of them name.

First, integers that differ, over every layer, on real samples; then files adapted on 200 samples, and what the runtime
makes of the file that is returned.

    python benchmarks/int8_runtimes.py [--samples 200] [--parts layers adapt] [--networks keywords ...]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import DATA, RESULTS, ROOT, percent, table, write
from PIL import Image

import stepforward as sf
from stepforward.data.audio import log_mel
from stepforward.data.mfcc import mfcc
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import load_tflite

sys.path.insert(0, str(ROOT / "tests" / "support"))
from int8_runtimes import NAMES, different, runtime  # what the tests compare with

FILES = {
    "keywords (DS-CNN)": "kws_dscnn_int8",
    "images (ResNet-8)": "resnet8_cifar10_int8",
    "people (MobileNetV1)": "vww_96_int8",
    "machine sounds (autoencoder)": "ad01_int8",
    "wake word (streaming)": "streaming_wakeword_int8",
}
CLASSES = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_"]
MFCC = {
    "sample_rate": 16000, "samples": 16000, "peak": True, "window": 480, "hop": 320, "fft": 512, "mels": 40,
    "fmin": 20.0, "fmax": 4000.0, "floor": 1e-6, "coefficients": 10, "mean": 0.0, "std": 1.0,
}  # fmt: skip
LOG_MEL = {
    "sample_rate": 16000, "samples": 16000, "window": 1024, "hop": 512, "fft": 1024, "mels": 128,
    "fmin": 0.0, "fmax": 8000.0, "floor": 1e-6, "mean": 0.0, "std": 1.0,
}  # fmt: skip
NOISE_DB = 5


def clips():
    """Waveforms in [-1, 1] and labels in the order of CLASSES, in a fixed random order."""
    with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
        names, label, codes = file["class_names"].tolist(), file["label"], file["audio_mulaw"]
    order = np.random.default_rng(0).permutation(len(label))
    u = codes[order] / 127.5 - 1
    y = np.array([CLASSES.index(names[number]) for number in label[order]])
    return np.sign(u) * (256.0 ** np.abs(u) - 1) / 255, y


def noisy(waveforms):
    """With white noise NOISE_DB below the power of each clip."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=waveforms.shape)
    power = np.sqrt((waveforms**2).mean(axis=1, keepdims=True) / 10 ** (NOISE_DB / 10))
    return waveforms + noise * power


def features(waveforms):
    """MFCC (n, 49, 10, 1)."""
    return np.stack([mfcc(waveform, MFCC)[0][..., None] for waveform in waveforms])


def people(part):
    """Images (n, 96, 96, 3) from 0 to 1, and whether there is a person."""
    with np.load(DATA / "people32" / f"{part}.npz") as file:
        images, y = file["images"], file["person"].astype(int)
    order = np.random.default_rng(0).permutation(len(y))
    grown = [Image.fromarray(image).resize((96, 96), Image.BICUBIC) for image in images[order]]
    return np.stack([np.asarray(image) for image in grown]).astype(np.float32) / 255, y[order]


def real_samples(network, shape, count):
    """What the network is for, float32; for the two last sounds of speech stand in, stretched to the input's range."""
    if network.startswith("keywords"):
        return features(clips()[0][:count])
    if network.startswith("images"):
        with np.load(DATA / "cifar10" / "test.npz") as file:
            return file["images"][:count].astype(np.float32)
    if network.startswith("people"):
        return people("test")[0][:count]
    sounds = [log_mel(waveform, LOG_MEL)[0].reshape(-1) for waveform in clips()[0][:count]]
    size = int(np.prod(shape))
    return np.stack([np.resize(sound, size).reshape(shape) for sound in sounds]).astype(np.float32)


def layer_row(network, samples):
    """Integers that differ, of how many, by runtime."""
    file = load_tflite(DATA / "pretrained" / "mlperf_tiny" / f"{FILES[network]}.tflite")
    source = file.tensors[file.inputs[0]]
    x = real_samples(network, source.shape[1:], samples)
    if network.startswith(("machine", "wake")):
        low, high = ((end - source.zero_point[0]) * source.scale[0] for end in (-128, 127))
        x = low + (x - x.min()) / (x.max() - x.min()) * (high - low)
    integers = np.clip(np.rint(x / source.scale[0]) + source.zero_point[0], -128, 127).astype(np.int8)
    found = {name: different(file, name, integers) for name in NAMES}
    return {
        "network": network,
        "samples": len(x),
        "layers": len(file.operators),
        "integers": found[NAMES[0]][1],
        **{name: wrong for name, (wrong, _) in found.items()},
    }


def shifted(network):
    """200 samples to adapt on and others to test on, of data that the network was not trained for."""
    if network.startswith("keywords"):
        waveforms, y = clips()
        x = features(noisy(waveforms[:800]))
        return (x[:200], y[:200]), (x[200:], y[200:800])
    if network.startswith("images"):
        with np.load(DATA / "cifar10c" / "severity5.npz") as file:
            x, y = file["gaussian_noise"].astype(np.float32), file["label"].astype(int)
        order = np.random.default_rng(0).permutation(len(y))
        return (x[order[:200]], y[order[:200]]), (x[order[200:]], y[order[200:]])
    x, y = people("train")
    return (x[:200], y[:200]), people("test")


def adapt_row(network, name, train):
    """Accuracy before and after, and how often the runtime's answers to the returned file are right."""
    path = DATA / "pretrained" / "mlperf_tiny" / f"{FILES[network]}.tflite"
    data, (x, y) = shifted(network)
    with tempfile.TemporaryDirectory() as folder:
        result = sf.adapt(
            path, data, test=(x, y), out=Path(folder) / "run", train=train, runtime=name, progress=False
        )
        returned = open_source(Path(folder) / "run" / "adapted.tflite", runtime=name)
    integers = quantize_input(lower(returned.network()), x)
    go = runtime(name)(returned.model.content)
    right = sum(int(go(sample)[0].argmax() == label) for sample, label in zip(integers, y, strict=True))
    return {
        "network": network,
        "train": train,
        "runtime": name,
        "test_samples": len(y),
        "zero_shot": result.zero_shot_accuracy,
        "adapted": result.adapted_accuracy,
        "right": round(result.adapted_accuracy * len(y)),
        "right_in_the_runtime": right,
        "same_size": len(returned.model.content) == path.stat().st_size,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["layers", "adapt"], choices=["layers", "adapt"])
    parser.add_argument("--networks", nargs="+", default=[name.split()[0] for name in FILES])
    given = parser.parse_args()
    path = RESULTS / "int8_runtimes.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {part: {row["network"]: row for row in kept.get(part, [])} for part in ("layers", "adapt")}
    for network in (name for name in FILES if name.split()[0] in given.networks):
        if "layers" in given.parts:
            found["layers"][network] = layer_row(network, given.samples)
            print(found["layers"][network], flush=True)
        if "adapt" in given.parts and not network.startswith(("machine", "wake")):
            found["adapt"][network] = adapt_row(network, "tflm", "head")
            print(found["adapt"][network], flush=True)
        write("int8_runtimes", {part: list(rows.values()) for part, rows in found.items()})
    print(
        table(
            list(found["layers"].values()),
            {k: k for k in ("network", "samples", "layers", "integers", *NAMES)},
        )
    )
    rows = [
        row | {"zero_shot": percent(row["zero_shot"]), "adapted": percent(row["adapted"])}
        for row in found["adapt"].values()
    ]
    print(table(rows, {k: k for k in ("network", "zero_shot", "adapted", "right", "right_in_the_runtime")}))


if __name__ == "__main__":
    main()
