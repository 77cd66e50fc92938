"""Networks of MLPerf Tiny, and samples for them: what they are for, and what they were not trained for."""

import numpy as np
from common import DATA
from PIL import Image

from stepforward.data.audio import log_mel
from stepforward.data.mfcc import mfcc

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


def clips(classes=CLASSES):
    """Waveforms in [-1, 1] and labels in the order of `classes`, in a fixed random order."""
    with np.load(DATA / "speech_commands12" / "speech_commands12.npz", allow_pickle=False) as file:
        names, label, codes = file["class_names"].tolist(), file["label"], file["audio_mulaw"]
    order = np.random.default_rng(0).permutation(len(label))
    u = codes[order] / 127.5 - 1
    y = np.array([classes.index(names[number]) for number in label[order]])
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
