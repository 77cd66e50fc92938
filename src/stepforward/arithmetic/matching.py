"""Statistics matching (contract, section 11): sums over a site's accumulators, and the constants they lead to.

A site is an operator with weights; every number here is one per output channel of a site, unless it says otherwise.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from stepforward.arithmetic.fixedpoint import Int, clamp, shift_right

LIMIT = 2**15 - 1
"""Largest magnitude of a standardized accumulator."""

ONE, HIGHEST = 1 << 14, (1 << 16) - 1
"""A ratio of 1, and the largest there is; the smallest is a quarter of one."""

PRIOR = 16
"""Samples of the reference that count besides those that were seen."""

SLIGHT, PLAIN = 256, 512
"""Nothing is corrected up to the first, everything from the second on: `times` what is usual, 2^8 for 1."""

MOST = 1 << 25
"""Positions that sums may hold, samples times positions of one sample and the prior's among them: 64 bits suffice."""


WHOLE = 256
"""The strength of a matching that corrects all that the shares of its sites say."""

STRENGTHS = (WHOLE // 4, WHOLE // 2, 3 * WHOLE // 4, WHOLE)
"""Those that are tried where samples decide."""


class Patches(NamedTuple):
    """How inputs of a convolution vary on clean data.

    Attributes:
        mean: of each channel, in steps of the input; 0 is the real zero.
        unit: its deviation, in sixteenths of a step; at least a sixteenth of the largest, and 1.
        lags: covariances with what lies some rows and columns away, as of `patches.Lags.second`, in products of
            units, 2^14 for 1: s16.
    """

    mean: Int
    unit: Int
    lags: Int


class Reference(NamedTuple):
    """What a site's accumulators, biases included, are on clean data.

    Attributes:
        mean: s32.
        deviation: 0 to 2^31 - 1; 0 for a channel that is left alone.
        distances: how far samples usually are from these, as `distances` measures it: two numbers above 0. `quantize`
            takes what samples of one class alone show, times a share that rises with the depth of the site.
        patches: how the inputs of an early convolution vary together; None for others.
    """

    mean: Int
    deviation: Int
    distances: tuple[int, int]
    patches: Patches | None = None

    @property
    def shift(self) -> Int:
        """Brings a deviation into eleven bits."""
        return np.array([max(0, int(value).bit_length() - 11) for value in self.deviation], dtype=np.int64)

    @property
    def unit(self) -> Int:
        """The deviation as standardized accumulators have it, in sixteenths."""
        return (self.deviation << 4) >> self.shift


class Rule(NamedTuple):
    """What decides how much is corrected; `PRIOR`, `SLIGHT` and `PLAIN` say what.

    Attributes:
        caution: as many samples count half: a few of them are far from any reference by chance.
    """

    prior: int = PRIOR
    slight: int = SLIGHT
    plain: int = PLAIN
    caution: int = 0


RULE = Rule()


class Sums(NamedTuple):
    """Sums of standardized accumulators over `samples` samples and all their positions: s64, at most `MOST` of them."""

    samples: int
    first: Int
    second: Int


class Moments(NamedTuple):
    """Mean (in sixteenths) and variance (in sixteenths squared) of standardized accumulators."""

    mean: Int
    variance: Int


def standardize(accumulators: ArrayLike, reference: Reference) -> Int:
    """Accumulators as distances from the reference's mean, channels last: s16.

    >>> reference = Reference(np.array([1000]), np.array([5000]), (1, 1))
    >>> standardize([[1000], [6000], [-4000], [10**9]], reference).ravel().tolist()
    [0, 1250, -1250, 32767]
    """
    away = np.asarray(accumulators, dtype=np.int64) - reference.mean
    return clamp(shift_right(away, reference.shift), -LIMIT, LIMIT)


def moments(sums: Sums, reference: Reference, positions: int, prior: int = PRIOR) -> Moments:
    """What the sums say, with some samples of the reference among them.

    Args:
        sums: of the samples seen.
        reference: of the site.
        positions: of one sample.
        prior: how many samples of the reference; 0 where there are enough others.
    """
    count, unit = (sums.samples + prior) * positions, reference.unit
    mean = (16 * sums.first + count // 2) // count
    square = (256 * sums.second + prior * positions * unit * unit) // count
    return Moments(mean, np.maximum(square - mean * mean, 0))


def ratio(moment: Moments, unit: Int) -> Int:
    """The reference's deviation over the one that was found, `ONE` for 1, from a quarter to just below 4.

    >>> ratio(Moments(np.array([0, 0, 0]), np.array([20000**2, 10000**2, 0])), np.array([20000, 20000, 20000])).tolist()
    [16384, 32768, 65535]
    """
    found = np.maximum(roots(moment.variance), 1)
    return clamp(((unit << 14) + found // 2) // found, ONE // 4, HIGHEST)


def distances(moment: Moments, unit: Int) -> tuple[int, int]:
    """How far means and deviations are from the reference, mean squares over the channels that vary, 2^16 for 1.

    A mean counts in deviations; with r the ratio of deviations, a deviation counts (r - 1)^2 / r, which is about the
    square of its logarithm and the same for r and 1/r.
    """
    varies = unit > 0
    if not varies.any():
        return 0, 0
    mean, unit, r = moment.mean[varies], unit[varies], ratio(moment, unit)[varies]
    by_mean = np.minimum((mean * mean << 16) // (unit * unit), 1 << 24)
    by_deviation = (4 * (r - ONE) * (r - ONE)) // r
    return int(by_mean.sum()) // len(r), int(by_deviation.sum()) // len(r)


def times(found: tuple[int, int], usual: tuple[int, int]) -> int:
    """The larger of two distances in units of what is usual, 2^8 for 1."""
    return max((256 * far) // near for far, near in zip(found, usual, strict=True))


def share(found: tuple[int, int], usual: tuple[int, int], rule: Rule = RULE, samples: int = 1) -> int:
    """How much of what was found on so many samples is corrected, 0 to 256: nothing up to what is usual, all from
    twice that.

    >>> [share((far, 0), (100, 100)) for far in (50, 100, 150, 200, 999)]
    [0, 0, 128, 256, 256]
    >>> [share((300, 0), (100, 100), Rule(caution=32), samples) for samples in (1, 16, 32, 64, 999)]
    [0, 0, 128, 256, 256]
    """
    sure = times(found, usual) * samples // max(samples + rule.caution, 1)
    more = 256 * (sure - rule.slight) // (rule.plain - rule.slight)
    return min(max(more, 0), 256)


def partly(found: Moments, unit: Int, part: int) -> Moments:
    """The moments that are corrected: `part` of 256 on the way from the reference's to those found."""
    square = unit * unit
    return Moments(
        shift_right(found.mean * part, 8), square + shift_right((found.variance - square) * part, 8)
    )


class Constants(NamedTuple):
    """A site's constants: the ratio of every channel's multiplier to the base's (`ONE` for 1), and its bias; its
    weights, shape (channels, elements), where they are others than the base's."""

    ratio: Int
    bias: Int
    weights: Int | None = None

    @classmethod
    def of(cls, bias: Int) -> "Constants":
        """Those of a site as it is."""
        return cls(np.full(len(bias), ONE, dtype=np.int64), bias)


def further(start: Constants, deviation: Int, means: Int, ratios: Int) -> Constants:
    """Constants with which a site's outputs lie and spread otherwise: `means` in 2^-12 deviations of the reference,
    `ratios` in 2^-12 of their own.

    >>> further(Constants(np.array([2 * ONE]), np.array([50])), np.array([1000]), np.array([2048]), np.array([-1024]))
    Constants(ratio=array([24576]), bias=array([300]), weights=None)
    """
    r = clamp(start.ratio + shift_right(start.ratio * ratios, 12), ONE // 4, HIGHEST)
    moved = start.bias + (deviation * means << 2) // start.ratio
    alone = (deviation == 0) | (np.abs(moved) > 2**31 - 1)
    return Constants(np.where(alone, start.ratio, r), np.where(alone, start.bias, moved), start.weights)


def constants(taken: Moments, reference: Reference, bias: Int) -> Constants:
    """The constants with which accumulators of such moments give the reference's mean and deviation again.

    Args:
        taken: of the base's accumulators, which hold `bias`.
        reference: of the site.
        bias: of the base, s32.
    """
    unit = reference.unit
    r = ratio(taken, unit)
    mean = shift_right(taken.mean << reference.shift, 4)
    moved = bias - reference.mean - mean + ((reference.mean << 14) + r // 2) // r
    alone = (unit == 0) | (np.abs(moved) > 2**31 - 1)
    return Constants(np.where(alone, ONE, r), np.where(alone, bias, moved))


def in_steps_of(reference: Reference, ratio: Int) -> Reference:
    """The reference of accumulators whose steps are `ratio` of 2^14 times as large.

    >>> known = Reference(np.array([1000, 7]), np.array([5000, 0]), (1, 1))
    >>> [part.tolist() for part in in_steps_of(known, np.array([2 * ONE, ONE]))[:2]]
    [[500, 7], [2500, 0]]
    """
    mean, deviation = (((2 * values << 14) + ratio) // (2 * ratio) for values in reference[:2])
    small = clamp(mean, -(2**31) + 1, 2**31 - 1)
    varies = reference.deviation > 0
    return reference._replace(mean=small, deviation=np.where(varies, clamp(deviation, 1, 2**31 - 1), 0))


def after(start: Constants, made: Constants) -> Constants:
    """The constants of a site that had others: ratios multiply, the later bias stays."""
    ratio = clamp(shift_right(start.ratio * made.ratio, 14), ONE // 4, HIGHEST)
    return Constants(ratio, made.bias, start.weights)


def moments_to_constants(
    sums: Sums, reference: Reference, positions: int, bias: Int, rule: Rule = RULE
) -> Constants:
    """The constants that sums lead to, from beginning to end; arguments as of `moments`, `share` and `constants`."""
    found = moments(sums, reference, positions, rule.prior)
    part = share(distances(found, reference.unit), reference.distances, rule, sums.samples)
    return constants(partly(found, reference.unit, part), reference, bias)


def rescaled(mult: int, shift: int, ratio: int) -> tuple[int, int] | None:
    """The pair of a channel whose multiplier is `ratio` times as large; None where no pair holds it.

    >>> rescaled(40000, 20, ONE), rescaled(40000, 20, 2 * ONE), rescaled(40000, 20, ONE // 3)
    ((40000, 20), (40000, 19), (53330, 22))
    """
    if ratio == ONE or mult == 0:
        return mult, shift
    product, shift = int(mult) * int(ratio), int(shift) + 14
    excess = min(product.bit_length() - 16, shift)
    if excess > 0:
        product, shift = _halved_up(product, excess), shift - excess
    if product == 1 << 16:
        product, shift = product >> 1, shift - 1
    if shift > 47:
        product, shift = _halved_up(product, shift - 47), 47
    return (product, shift) if shift >= 0 and product < 1 << 16 else None


def _halved_up(value: int, times: int) -> int:
    """`shift_right` of one number, above 0 times: arrays would take longer than all the rest of `rescaled`."""
    return (value + (1 << times - 1)) >> times


def roots(values: Int) -> Int:
    """Square roots, rounded down."""
    return np.array([math.isqrt(int(value)) for value in values], dtype=np.int64)
