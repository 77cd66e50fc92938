"""Mel-frequency cepstral coefficients, as small keyword spotters read them (MLPerf Tiny: 49 frames of 10).

For a waveform x at `sample_rate`, padded with zeros or cut around its centre to `samples`, and divided by its largest
magnitude where `peak` is true:

    frame t     x[t * hop : t * hop + window], t = 0 .. (samples - window) // hop
    A[t, k]     |FFT(frame t * hann)[k]|            periodic hann, FFT of `fft` points
    E[t, m]     sum_k F[m, k] * A[t, k]     F: `mels` triangles of peak 1 from fmin to fmax, evenly spaced and straight
                                            in mel(f) = 1127 * ln(1 + f / 700)
    L[t, m]     ln(E[t, m] + floor)
    C[t, j]     sqrt(2 / mels) * sum_m L[t, m] * cos(pi / mels * (m + 1/2) * j), j = 0 .. coefficients - 1
    feature     (C[t, j] - mean) / std

All of it runs in float64; the result is float32, shape (1, frames, coefficients).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stepforward.data.audio import centred, hann, triangles


def mfcc(waveform: NDArray[np.float64], settings: dict) -> NDArray[np.float32]:
    """The formula at the top of this file.

    Args:
        waveform: float64, shape (any,), at `settings["sample_rate"]`.
        settings: checked preprocessing settings of kind "mfcc".

    Returns:
        float32, shape (1, frames, coefficients).
    """
    window, mels = settings["window"], settings["mels"]
    x = centred(waveform, settings["samples"])
    if settings.get("peak", False):
        x = x / max(np.abs(x).max(), 1e-12)
    start = settings["hop"] * np.arange(frames(settings))[:, None] + np.arange(window)
    amplitude = np.abs(np.fft.rfft(x[start] * hann(window), settings["fft"]))
    filters = _filters(settings["sample_rate"], settings["fft"], mels, settings["fmin"], settings["fmax"])
    loudness = np.log(amplitude @ filters.T + settings["floor"])
    coefficients = loudness @ _cosines(mels, settings["coefficients"])
    return ((coefficients - settings["mean"]) / settings["std"]).astype(np.float32)[None]


def frames(settings: dict) -> int:
    """How many whole windows fit into the samples."""
    return (settings["samples"] - settings["window"]) // settings["hop"] + 1


@lru_cache(maxsize=8)
def _filters(sample_rate: int, fft: int, mels: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Triangles straight in mel, float64, shape (mels, fft // 2 + 1)."""

    def mel(frequency):
        return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)

    corners = np.linspace(mel(fmin), mel(fmax), mels + 2)
    bins = mel(np.arange(fft // 2 + 1) * (sample_rate / fft))
    return triangles(corners, bins, f"{mels} mels from {fmin} to {fmax} Hz")


@lru_cache(maxsize=8)
def _cosines(mels: int, coefficients: int) -> NDArray[np.float64]:
    angles = np.pi / mels * (np.arange(mels)[:, None] + 0.5) * np.arange(coefficients)
    cosines = np.sqrt(2.0 / mels) * np.cos(angles)
    cosines.setflags(write=False)
    return cosines
