"""Ratios of scales as (mult, shift) pairs, and bounds as integers: as the contract makes them, or as a runtime does.

This is the one place where programs of different runtimes differ. Every function takes the name of a runtime
(`network.runtimes`), or None for the contract, and gives the fields `rescale` and `rounding` of an operator.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.rounding import (
    CONTRACT,
    FLOAT,
    INSIDE,
    INSIDE_BYTES,
    NAMES,
    SUM_BITS,
    TWICE,
    float_multiplier,
    mean_multiplier,
    q31_multiplier,
    single_ratio,
)
from stepforward.network.network import Format
from stepforward.network.runtimes import RUNTIMES
from stepforward.operators.add import Add
from stepforward.operators.join import Join


class Rescaling(TypedDict):
    """How an operator's sums become its outputs."""

    rescale: tuple[tuple[int, int], ...]
    rounding: int


def of_layer(runtime: str | None, kind: str, x: float, weights: Sequence[float], y: float) -> Rescaling:
    """Of an operator with weights: one pair for each of their scales; x and y are the scales of input and output."""
    rounding = _of_products(runtime)
    if runtime is not None and kind == "fully_connected":
        rounding = NAMES.index(RUNTIMES[runtime].fully_connected)
    return _pairs(rounding, ((x, weight, y) for weight in weights))


def of_join(
    runtime: str | None, kind: type[Join], a: float, b: float, y: float, unsigned: bool = False
) -> Rescaling:
    """Of an operator that joins two tensors; `unsigned`: the runtime has all three as bytes."""
    if runtime is None:
        return {"rescale": kind.multipliers(a, b, y), "rounding": CONTRACT}
    if RUNTIMES[runtime].inside:
        ratios = [(a, 1.0, y), (b, 1.0, y)] if kind is Add else [(a, b, y)]
        return {
            "rescale": _pairs(FLOAT, ratios)["rescale"],
            "rounding": INSIDE_BYTES if unsigned else INSIDE,
        }
    if kind is Add:
        return _of_sum(a, b, y)
    if RUNTIMES[runtime].single:
        return _pairs(_of_products(runtime), [(single_ratio((a, b), y), 1.0, 1.0)])
    return _pairs(_of_products(runtime), [(a, b, y)])


def _of_sum(a: float, b: float, y: float) -> Rescaling:
    """Those of TensorFlow Lite files add alike."""
    twice = 2 * max(a, b)
    ratios = (a / twice, b / twice, twice / (2**SUM_BITS * y))
    return {"rescale": tuple(q31_multiplier(ratio) for ratio in ratios), "rounding": TWICE}


def of_change(runtime: str | None, x: float, y: float) -> Rescaling:
    """Of a change of format by itself."""
    if _of_products(runtime) == FLOAT:
        raise ValueError(f"{runtime} rounds a change of format in a way that no program has")
    return _pairs(_of_products(runtime), [(x, 1.0, y)])


def of_mean(runtime: str | None, x: float, y: float, count: int) -> Rescaling:
    """Of a mean over all positions of an image."""
    rounding = _of_products(runtime)
    if rounding == CONTRACT:
        return of_means(x, y, [count])
    if rounding == FLOAT:
        return _pairs(FLOAT, [(x, 1.0, float(np.float32(y) * np.float32(count)))])
    return {"rescale": (mean_multiplier(x / y, count),), "rounding": rounding}


def of_means(x: float, y: float, counts: Iterable[int]) -> Rescaling:
    """Of windows that count so many values, by the contract."""
    return {"rescale": tuple(quantize_multiplier(x / (n * y)) for n in counts), "rounding": CONTRACT}


def of_windows(runtime: str, x: float, y: float, counts: Iterable[int], unsigned: bool) -> Rescaling:
    """Of windows that count so many values, as a runtime takes their means; `unsigned` as of `of_join`."""
    if not RUNTIMES[runtime].inside:
        return {"rescale": (), "rounding": TWICE}  # the mean of the integers
    ratios = [(x, 1.0, float(np.float32(y) * np.float32(n))) for n in counts]
    return {"rescale": _pairs(FLOAT, ratios)["rescale"], "rounding": INSIDE_BYTES if unsigned else INSIDE}


def bound(runtime: str | None, value: float, form: Format) -> int:
    """The integer of a real bound, not yet held to the type's range."""
    if runtime is None:
        return form.zero_point + round(value / form.scale)
    quotient = np.float32(value) / np.float32(form.scale)
    if _of_products(runtime) == FLOAT:
        return int(np.rint(quotient + np.float32(form.zero_point)))
    return form.zero_point + int(math.copysign(math.floor(abs(float(quotient)) + 0.5), quotient))


def _of_products(runtime: str | None) -> int:
    return CONTRACT if runtime is None else NAMES.index(RUNTIMES[runtime].products)


def _pairs(rounding: int, ratios: Iterable[tuple[float, float, float]]) -> Rescaling:
    """Of ratios a*b/y of float32 values, each multiplied and divided in the precision that the rounding stands for."""
    if rounding == FLOAT:
        pairs = [float_multiplier(single_ratio((a, b), y)) for a, b, y in ratios]
    else:
        make = quantize_multiplier if rounding == CONTRACT else q31_multiplier
        pairs = [make(a * b / y) for a, b, y in ratios]
    return {"rescale": tuple(pairs), "rounding": rounding}
