"""Functions of one int8 value as runtimes compute them: a table of 256 integers, made with the runtime's own formula.

An operator between a tensor and a constant number is such a function too.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.rounding import (
    FLOAT,
    NAMES,
    SUM_BITS,
    TWICE,
    float_multiplier,
    q31_multiplier,
    rescale,
    single_ratio,
)
from stepforward.network.network import Format
from stepforward.network.runtimes import RUNTIMES
from stepforward.sources.problems import UnreadableError

INPUTS: Int = np.arange(-128, 128, dtype=np.int64)


def table(code: str, options: Mapping[str, Any], x: Format, y: Format, runtime: str) -> Int:
    """What an operator gives for the inputs -128 to 127.

    Args:
        code: of `FUNCTIONS`.
        options: of the operator.
        x, y: formats of input and output.
        runtime: whose integers these are.

    Raises:
        UnreadableError: the formats are none that the operator has.
    """
    return np.clip(FUNCTIONS[code](options, x, y, runtime), -128, 127)


def with_number(code: str, first: bool, x: Format, c: Format, q: int, y: Format, runtime: str) -> Int:
    """What ADD, SUB or MUL of a tensor and a number give for the inputs -128 to 127, before they are clamped.

    Args:
        first: whether the number is the first operand.
        x, c, y: formats of the tensor, the number and the output.
        q: the number.
    """
    one, other = INPUTS - x.zero_point, np.full(256, q - c.zero_point, np.int64)
    if code == "MUL":
        return _scaled(one * other, runtime, x.scale, c.scale, y.scale) + y.zero_point
    a, b, scales = (other, one, (c.scale, x.scale)) if first else (one, other, (x.scale, c.scale))
    add = _added_once if _floats(runtime) else _added
    return add(a, b, *scales, y.scale, -1 if code == "SUB" else 1) + y.zero_point


def _floats(runtime: str) -> bool:
    return RUNTIMES[runtime].products == NAMES[FLOAT]


def _scaled(acc: Int, runtime: str, *scales: float) -> Int:
    """Sums times a ratio of scales, the last of which divides, with the rounding of products."""
    *factors, y = scales
    single = single_ratio(factors, y)
    if _floats(runtime):
        return rescale(acc, *float_multiplier(single), FLOAT)
    ratio = single if RUNTIMES[runtime].single else math.prod(factors) / y
    return rescale(acc, *q31_multiplier(ratio), NAMES.index(RUNTIMES[runtime].products))


def _added(a: Int, b: Int, a_scale: float, b_scale: float, y_scale: float, sign: int) -> Int:
    """Both made finer, brought to one scale, added, and brought to the output's."""
    twice = 2 * max(a_scale, b_scale)
    one, other = (
        rescale(value << SUM_BITS, *q31_multiplier(scale / twice), TWICE)
        for value, scale in ((a, a_scale), (b, b_scale))
    )
    return rescale(one + sign * other, *q31_multiplier(twice / (2**SUM_BITS * y_scale)), TWICE)


def _added_once(a: Int, b: Int, a_scale: float, b_scale: float, y_scale: float, sign: int) -> Int:
    """XNNPACK: two multipliers of 21 bits, one sum, one rounding."""
    ratios = [single_ratio((scale,), y_scale) for scale in (a_scale, b_scale)]
    shift = 20 - (math.frexp(max(ratios))[1] - 1)
    one, other = (round(ratio * 2.0**shift) for ratio in ratios)
    return (a * one + sign * b * other + (1 << (shift - 1))) >> shift


def _sigmoid(options: Mapping[str, Any], x: Format, y: Format, runtime: str) -> Int:
    _must_be(y, 1 / 256, -128)
    return np.rint(256 / (1 + np.exp(-(INPUTS - x.zero_point) * x.scale))).astype(np.int64) - 128


def _tanh(options: Mapping[str, Any], x: Format, y: Format, runtime: str) -> Int:
    _must_be(y, 1 / 128, 0)
    return np.rint(128 * np.tanh((INPUTS - x.zero_point) * x.scale)).astype(np.int64)


def _must_be(y: Format, scale: float, zero_point: int) -> None:
    if (y.scale, y.zero_point) != (scale, zero_point):
        raise UnreadableError(
            f"its output has scale {y.scale:g} and zero point {y.zero_point}, not {scale:g} and {zero_point}"
        )


def _hard_swish(options: Mapping[str, Any], x: Format, y: Format, runtime: str) -> Int:
    """In 16 bits, as all runtimes do: the value times how much of it passes, each scaled on its own."""
    finer = np.float32(x.scale) * np.float32(1 / 128)
    out_mult, out_shift = _halved(float(finer) / y.scale)
    gate_mult, gate_shift = _halved(float(np.float32(finer / np.float32(3 / 32768))))
    value = (INPUTS - x.zero_point) << 7
    passed = _doubled_high(value, out_mult)
    gate = value
    if gate_shift > 0:
        gate = _saturated(gate << (gate_shift - 1))
    gate = _doubled_high(gate, gate_mult)
    if gate_shift > 0:
        gate = _saturated(gate << 1)
    elif gate_shift < 0:
        gate = _half_away(gate, -gate_shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * passed
    product = _saturated(np.sign(product) * (np.abs(product) >> 15))
    product = product << out_shift if out_shift > 0 else _half_away(product, -out_shift)
    return product + y.zero_point


def _halved(ratio: float) -> tuple[int, int]:
    """A multiplier of 16 bits and a left shift."""
    mult, shift = q31_multiplier(ratio)
    return min((mult + (1 << 15)) >> 16, 32767), 31 - shift


def _doubled_high(value: Int, mult: int) -> Int:
    return (value * mult + (1 << 14)) >> 15


def _saturated(value: Int) -> Int:
    return np.clip(value, -(2**15), 2**15 - 1)


def _half_away(value: Int, shift: int) -> Int:
    """Divided by a power of two, rounded half away from zero."""
    if shift == 0:
        return value
    return np.sign(value) * ((np.abs(value) + (1 << (shift - 1))) >> shift)


def _leaky_relu(options: Mapping[str, Any], x: Format, y: Format, runtime: str) -> Int:
    """LiteRT works its ratios out in float32, TFLM in float64; a negative slope is one that is rounded, and negated."""
    alpha, value = options.get("Alpha", 0.0), INPUTS - x.zero_point
    single = single_ratio((x.scale,), y.scale)
    ratios = [single, float(np.float32(single) * np.float32(alpha))]
    if _floats(runtime) and all(1 / 256 <= abs(r) <= 127 for r in ratios):  # else XNNPACK leaves it to others
        slopes = [round(256 * r) for r in ratios]
        return ((value * np.where(value >= 0, *slopes) + 128) >> 8) + y.zero_point
    if RUNTIMES[runtime].single or _floats(runtime):
        ratios = [single, single_ratio((x.scale, abs(alpha)), y.scale)]
    else:
        ratios = [x.scale / y.scale, x.scale * abs(alpha) / y.scale]
    above, below = (rescale(value, *q31_multiplier(ratio), TWICE) for ratio in ratios)
    return np.where(value >= 0, above, below if alpha >= 0 else -below) + y.zero_point


FUNCTIONS: dict[str, Callable[[Mapping[str, Any], Format, Format, str], Int]] = {
    "LOGISTIC": _sigmoid,
    "TANH": _tanh,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
}
"""By the names of operators."""
