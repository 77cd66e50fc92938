"""Sounds as numbers: resampling, and the log-mel image a speech network looks at.

For a waveform x in [-1, 1) at `sample_rate`, padded with zeros or cut around its centre to `samples`:

    frame t     the `window` samples around the middle of hop t, t = 0 .. samples // hop - 1; zeros beyond it
    P[t, k]     |FFT(frame t * hann)[k]|^2 / (sum hann)^2        periodic hann, FFT of `fft` points
    E[m, t]     sum_k F[m, k] * P[t, k]     F: `mels` triangles of peak 1 from fmin to fmax, evenly spaced in
                                            mel(f) = 2595 * log10(1 + f / 700)
    feature     (ln(E[m, t] + floor) - mean) / std

All of it runs in float64; the result is float32, shape (1, mels, samples // hop).
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError

_MARGIN = 128  # zeros after the signal, so that the FFT's circular tail does not fold back onto its start


def resample(x: NDArray[np.float64], rate_in: int, rate_out: int) -> NDArray[np.float64]:
    """Band-limited resampling: the spectrum is cut, or filled with zeros, at the lower Nyquist frequency.

    Args:
        x: waveform, float64, shape (n,).

    Returns:
        Waveform, float64, shape (ceil(n * rate_out / rate_in),), starting at the same moment.

    >>> resample(np.sin(2 * np.pi * 0.05 * np.arange(64)), 8000, 16000).shape
    (128,)
    """
    if rate_in == rate_out:
        return x
    common = math.gcd(rate_in, rate_out)
    up, down = rate_out // common, rate_in // common
    blocks = -(-(len(x) + _MARGIN) // down)
    spectrum = np.fft.rfft(x, blocks * down)
    kept = spectrum[: min(blocks * down, blocks * up) // 2]
    return np.fft.irfft(kept, blocks * up)[: -(-len(x) * up // down)] * (up / down)


def log_mel(waveform: NDArray[np.float64], settings: dict) -> NDArray[np.float32]:
    """The formula at the top of this file.

    Args:
        waveform: float64, shape (any,), at `settings["sample_rate"]`.
        settings: checked preprocessing settings of kind "log_mel".

    Returns:
        float32, shape (1, mels, samples // hop).
    """
    window, hop, samples = settings["window"], settings["hop"], settings["samples"]
    frames = samples // hop
    before = (window - hop) // 2
    padded = np.zeros(before + samples + window)
    padded[before : before + samples] = centred(waveform, samples)
    start = hop * np.arange(frames)[:, None] + np.arange(window)
    shape = hann(window)
    spectrum = np.fft.rfft(padded[start] * shape, settings["fft"]) / shape.sum()
    power = spectrum.real**2 + spectrum.imag**2
    filters = mel_filters(
        settings["sample_rate"], settings["fft"], settings["mels"], settings["fmin"], settings["fmax"]
    )
    energy = filters @ power.T
    features = (np.log(energy + settings["floor"]) - settings["mean"]) / settings["std"]
    return features.astype(np.float32)[None]


def centred(waveform: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Cut or pad with zeros on both sides to `samples`; the middle stays in the middle.

    >>> centred(np.array([1.0, 2.0]), 5)
    array([0., 1., 2., 0., 0.])
    """
    surplus = len(waveform) - samples
    if surplus >= 0:
        return waveform[surplus // 2 : surplus // 2 + samples]
    left = -surplus // 2
    return np.pad(waveform, (left, -surplus - left))


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, fft: int, mels: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Triangles of peak 1, float64, shape (mels, fft // 2 + 1).

    Raises:
        StepforwardError: a triangle is so narrow that it holds no FFT bin.
    """
    low, high = (2595.0 * math.log10(1.0 + f / 700.0) for f in (fmin, fmax))
    corners = 700.0 * (10.0 ** (np.linspace(low, high, mels + 2) / 2595.0) - 1.0)
    bins = np.arange(fft // 2 + 1, dtype=np.float64) * (sample_rate / fft)
    return triangles(corners, bins, f"{mels} mels from {fmin} to {fmax} Hz")


def triangles(corners: NDArray[np.float64], bins: NDArray[np.float64], described: str) -> NDArray[np.float64]:
    """Triangles of peak 1 over three neighbouring corners each, at the given bins; shape (corners - 2, bins).

    Raises:
        StepforwardError: one is so narrow that it holds no bin; `described` says what they are.
    """
    left, peak, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    filters = np.maximum(0.0, np.minimum((bins - left) / (peak - left), (right - bins) / (right - peak)))
    if not filters.any(axis=1).all():
        raise StepforwardError(
            f"{described} are too narrow for {2 * len(bins) - 2} FFT points", "use fewer mels or a longer FFT"
        )
    filters.setflags(write=False)
    return filters


@lru_cache(maxsize=8)
def hann(window: int) -> NDArray[np.float64]:
    """The periodic Hann window, float64, shape (window,)."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi / window * np.arange(window))
    hann.setflags(write=False)
    return hann
