"""Weights and biases as integers."""

import numpy as np

from stepforward.quantization.formats import QuantizationSettings

_SMALLEST_CHANNEL = 2.0**-8
"""A channel's range is at least this part of its tensor's: a finer scale would only inflate the bias."""

LARGEST_BIAS = 2.0**30
"""A bias stays below half of the s32 range, so that it has room to learn."""


_KERNEL_RANGE = 0.75
"""Part of the 16-bit range that the |q| of one kernel may add up to; the rest is for probes and for learning."""

LOGITS_GROWTH = 4
"""How many times its range a 16-bit weight that produces logits may grow, at the price of two bits: a new task often
asks for larger ones, and they already lie close to their largest (deviation half of it; in a convolution a fifth)."""

NORM_GROWTH = 8
"""The same of a layer norm's weight. All of them are near 1, and its bias would otherwise count in steps of 1e-8, too
fine for a learning rate."""


def quantize_weight(
    weight: np.ndarray,
    bias: np.ndarray,
    scale_x: float,
    settings: QuantizationSettings,
    kernel_sums: bool = False,
    growth: int = 1,
):
    """Symmetric integers of a weight (outputs, ...), one scale or one per output.

    q = round_half_even(w / scale), |q| <= 2^(b-1) - 1. The scale is as small as the weights allow, but no
    smaller than what the bias needs to fit s32 at scale_x * scale.

    Args:
        weight: float (outputs, ...). bias: float (outputs,). scale_x: of the layer's input.
        settings: bits, and whether outputs have scales of their own.
        kernel_sums: for 16-bit weights (outputs, inputs, 3, 3): choose the scale so that the magnitudes of one
            kernel's nine weights add up to less than 2^15. Then they can be transformed exactly for Winograd's
            F(2x2, 3x3), which makes four outputs from 16 products instead of 36, at the price of two to three of
            the 16 bits (`core/multiply/host/winograd.h`).
        growth: how many times their range 16-bit weights may grow; they take one part of so many.

    Returns:
        (q int64 of weight's shape, scale float32 of shape () or (outputs,)).
    """
    q_max = 2 ** (settings.weight_bits - 1) - 1
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    magnitude = np.abs(rows).max(axis=1)
    bias_magnitude = np.abs(bias).astype(np.float64)
    if not settings.channelwise:
        magnitude, bias_magnitude, rows = magnitude.max(), bias_magnitude.max(), rows.reshape(1, -1)
    largest = magnitude.max() or 1.0
    magnitude = np.maximum(magnitude, largest * _SMALLEST_CHANNEL)
    scale = np.atleast_1d(magnitude / q_max)
    if kernel_sums and settings.weight_bits == 16:
        sums = np.abs(weight.astype(np.float64)).sum(axis=(2, 3)).max(axis=1)
        scale = np.maximum(scale, (sums if settings.channelwise else sums.max()) / (_KERNEL_RANGE * q_max))
    if settings.weight_bits == 16:
        scale = scale * growth
    if settings.method == "mse" and settings.weight_bits < 16:
        scale = _least_squares(rows, scale, q_max)
    scale = np.maximum(scale, bias_magnitude / (scale_x * LARGEST_BIAS)).astype(np.float32)
    q = _round(rows, scale.astype(np.float64)[:, None], q_max).astype(np.int64)
    return q.reshape(weight.shape), scale if settings.channelwise else scale.reshape(())


def quantize_bias(bias: np.ndarray, scale_x: float, scale_w: np.ndarray):
    """A bias as (q int64, scale float32 = scale_x * scale_w)."""
    scale = bias_scale(scale_x, scale_w)
    return np.rint(bias.astype(np.float64) / scale.astype(np.float64)).astype(np.int64), scale


def bias_scale(scale_x: float, scale_w: np.ndarray) -> np.ndarray:
    """The float32 product of an input's and a weight's scale."""
    return (np.float64(scale_x) * np.asarray(scale_w, np.float64)).astype(np.float32)


def _round(rows, scale, q_max):
    return np.clip(np.rint(rows / scale), -q_max, q_max)


def _least_squares(rows, scale, q_max):
    """The scale among 50 to 100 % of the given one, per row, with the least squared error."""
    candidates = np.linspace(0.5, 1.0, 51)[:, None] * scale
    errors = np.stack(
        [((_round(rows, s[:, None], q_max) * s[:, None] - rows) ** 2).sum(axis=1) for s in candidates]
    )
    best = len(candidates) - 1 - errors[::-1].argmin(axis=0)
    return candidates[best, np.arange(len(scale))]
