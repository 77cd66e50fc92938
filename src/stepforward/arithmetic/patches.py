"""Matching of a convolution's patches (contract, section 11): how the values under its window vary together is brought
back to what it was, by other weights."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right
from stepforward.arithmetic.matching import HIGHEST, ONE, PRIOR, Patches

RIDGE = ONE // 10
"""Added to every variance, of 1 in the reference: directions that hardly vary are left as they are."""

_ROUNDS, _FINE = 24, 26
"""Of a root's iteration, and its fraction bits: enough for variances 2^16 apart."""

_CLOSE = 1 << 20
"""How far from the unit matrix a root times its inverse may be."""

_SIXTEENTH = 4


class Window(NamedTuple):
    """Which values of an input one output reads."""

    kernel: tuple[int, int]
    dilation: tuple[int, int]


class Lags(NamedTuple):
    """Sums over samples and all their positions of d, an input less the reference's mean: s64.

    Attributes:
        samples: how many.
        positions: of one sample, and `shape` how they lie, (height, width).
        first: of d, shape (C,).
        second: of d at a position times d at another, shape (kh, 2*kw - 1, C, C): rows apart, columns apart (from
            1 - kw taps), channel of the first, of the second. Nothing is added where the other lies outside.
    """

    samples: int
    shape: tuple[int, int]
    first: Int
    second: Int

    @property
    def positions(self) -> int:
        """Of one sample."""
        return self.shape[0] * self.shape[1]


class Mixed(NamedTuple):
    """A convolution with other weights.

    Attributes:
        weights: shape (O, K), in steps that are `ratio` of 2^14 times the base's.
        bias: for the reference's mean output at the mean of what was seen, in steps of the new accumulators.
        ratio: of each output channel, `ONE` // 4 to `HIGHEST`.
    """

    weights: Int
    bias: Int
    ratio: Int


def lags(x: Int, mean: Int, window: Window) -> Lags:
    """The sums of samples.

    Args:
        x: inputs less their zero point, shape (n, height, width, C).
        mean: of the reference.
        window: of the convolution.
    """
    d = (x - mean).astype(np.int64)
    height, width, channels = d.shape[1:]
    (kh, kw), (dh, dw) = window
    second = np.zeros((kh, 2 * kw - 1, channels, channels), dtype=np.int64)
    for dy in range(kh):
        for dx in range(1 - kw, kw):
            y, side = dy * dh, dx * dw
            here = d[:, : max(height - y, 0), max(-side, 0) : max(width - max(side, 0), 0)]
            there = d[:, y:, max(side, 0) : max(width - max(-side, 0), 0)]
            # in float64, where every sum of these integers is exact: many times as fast
            product = here.reshape(-1, channels).T.astype(float) @ there.reshape(-1, channels).astype(float)
            second[dy, dx + kw - 1] = product.astype(np.int64)
    return Lags(len(d), (height, width), d.sum(axis=(0, 1, 2)), second)


def joined(one: Lags, other: Lags) -> Lags:
    """The sums of both."""
    return Lags(one.samples + other.samples, one.shape, one.first + other.first, one.second + other.second)


def reference(sums: Lags, mean: Int) -> Patches:
    """What clean samples say, from sums of inputs less their rounded `mean`."""
    found = (sums.second << 2 * _SIXTEENTH) // (sums.samples * sums.positions)
    deviation = np.array(
        [math.isqrt(max(int(v), 0)) for v in np.diagonal(found[0, (found.shape[1] - 1) // 2])]
    )
    unit = np.maximum(deviation, max(1, int(deviation.max()) >> 4)).astype(np.int64)
    scaled = (found << 14) // (unit[:, None] * unit)
    return Patches(mean, unit, clamp(scaled, -ONE, ONE))


def found(sums: Lags, known: Patches, window: Window, part: int) -> tuple[Int, Int]:
    """(mean in sixteenths of a step, less the reference's; lags in its units) of what was seen, with `PRIOR` samples of
    the reference among them, and `part` of 256 of the way from it."""
    (kh, kw), (dh, dw), (height, width) = *window, sums.shape
    count = (sums.samples + PRIOR) * sums.positions
    mean = (16 * sums.first + count // 2) // count
    units = known.unit[:, None] * known.unit
    clean = PRIOR * sums.positions * (known.lags * units >> 14)
    square = ((sums.second << 2 * _SIXTEENTH) + clean) // count
    rows = np.maximum(height - dh * np.arange(kh), 0)[:, None]
    columns = np.maximum(width - dw * np.abs(np.arange(1 - kw, kw)), 0)
    both = (rows * columns)[:, :, None, None]
    own = ((square - mean[:, None] * mean * both // sums.positions) << 14) // units
    return shift_right(mean * part, 8), known.lags + shift_right((own - known.lags) * part, 8)


def whole(lag: Int, window: Window) -> Int:
    """Lags as the symmetric matrix of a patch's elements, in the order of a weight's: rows, columns, channels."""
    kh, kw = window.kernel
    places = [(y, x) for y in range(kh) for x in range(kw)]
    rows = []
    for y, x in places:
        row = [lag[v - y, u - x + kw - 1] if v >= y else lag[y - v, x - u + kw - 1].T for v, u in places]
        rows.append(np.concatenate(row, axis=1))
    matrix = np.concatenate(rows)
    return (matrix + matrix.T) >> 1


def roots(matrix: Int) -> tuple[Int, Int] | None:
    """The square root of a symmetric positive matrix (2^14: 1), 2^16 for 1, and the root's inverse, 2^20 for 1; by
    Newton and Schulz. None where it is not positive.

    >>> [m.tolist() for m in roots(np.array([[4 * ONE, 0], [0, ONE]]))]
    [[[131072, 0], [0, 65536]], [[524288, 0], [0, 1048576]]]
    """
    size, times = len(matrix), 0
    bound = int(np.abs(matrix).sum(axis=1).max())
    while bound > ONE << 2 * times:
        times += 1
    unit = np.eye(size, dtype=np.int64) << _FINE
    root, inverse = shift_right(matrix << _FINE - 14, 2 * times), unit
    for _ in range(_ROUNDS):
        step = (3 * unit - _product(inverse, root)) >> 1
        root, inverse = _product(root, step), _product(step, inverse)
    if int(np.abs(_product(inverse, root) - unit).max()) > _CLOSE:
        return None
    return shift_right(root, _FINE - 16 - times), shift_right(inverse, _FINE - 20 + times)


@lru_cache(maxsize=64)
def _clean_roots(lag: bytes, shape: tuple[int, ...], window: Window) -> tuple[Int, Int] | None:
    """Of a reference, which each strength that is tried asks for again: `lag` are s64."""
    return roots(_ridged(np.frombuffer(lag, np.int64).reshape(shape), window))


def _ridged(lag: Int, window: Window) -> Int:
    matrix = whole(lag, window)
    return matrix + np.eye(len(matrix), dtype=np.int64) * RIDGE


def _product(one: Int, other: Int) -> Int:
    """The upper half decides for both: products of functions of one matrix are symmetric but for rounding."""
    return shift_right(one @ other, _FINE)


def mixed(
    weight: Int, bias: Int, known: Patches, mean: Int, lag: Int, window: Window, largest: int
) -> Mixed | None:
    """The weights that see what was found as the base's see the reference.

    Args:
        weight: of the base, shape (O, K).
        bias: of the base.
        known: the reference.
        mean, lag: of `found`.
        window: of the convolution.
        largest: magnitude of a weight.

    Returns:
        None where covariances are none, or a bias is no s32.
    """
    places = window.kernel[0] * window.kernel[1]
    clean = _clean_roots(known.lags.astype(np.int64).tobytes(), known.lags.shape, window)
    seen = roots(_ridged(lag, window)) if clean is not None else None
    if clean is None or seen is None:
        return None
    back = shift_right(clean[0] @ seen[1], 20)
    unit, centre = np.tile(known.unit, places), np.tile(known.mean, places)
    fine = shift_right((weight * unit) @ back, 4) // unit  # 12 fraction bits
    most = np.maximum(np.abs(fine).max(axis=1), 1)
    ratio = clamp(((most << 2) + largest // 2) // largest, ONE // 4, HIGHEST)  # 14 fraction bits
    new = clamp((2 * (fine << 2) + ratio[:, None]) // (2 * ratio[:, None]), -largest, largest)
    stays = (weight @ centre) << 14
    moved = (bias << 14) + stays - ratio * (new @ (16 * centre + np.tile(mean, places)) // 16)
    moved = (moved + ratio // 2) // ratio
    if int(np.abs(moved).max()) > 2**31 - 1:
        return None
    return Mixed(new, moved, ratio)
