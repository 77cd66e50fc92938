"""How far an accuracy and a difference of accuracies can be trusted: 95 % intervals and a paired test."""

import math
from typing import NamedTuple

Z = 1.959963984540054
"""Of the standard normal distribution, 95 % lie within plus and minus Z."""


class Interval(NamedTuple):
    """A 95 % interval, ends included."""

    low: float
    high: float

    @property
    def sign(self) -> int:
        """+1 or -1 where all of it lies on one side of zero, 0 where it holds zero."""
        return (self.low > 0) - (self.high < 0)


def wilson(correct: int, count: int) -> Interval:
    r"""The score interval of a proportion (Wilson 1927), which never leaves [0, 1].

    .. math::
        \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4n^2}}{1 + z^2 / n}

    Args:
        correct: samples of `count` that are classified correctly.
        count: 1 or more.

    >>> [round(end, 4) for end in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    share, square = correct / count, Z * Z / count
    centre = share + square / 2
    half = Z * math.sqrt((share * (1 - share) + square / 4) / count)
    low, high = (centre - half) / (1 + square), (centre + half) / (1 + square)
    return Interval(low if correct else 0.0, high if correct < count else 1.0)


def paired_difference(gained: int, lost: int, count: int) -> Interval:
    r"""The interval of a change of accuracy on the same samples (Bonett and Price 2012).

    Only samples whose answer turned right or wrong say anything. With one sample added to each kind,

    .. math::
        p = \frac{\mathrm{gained} + 1}{n + 2}, \quad q = \frac{\mathrm{lost} + 1}{n + 2}, \qquad
        p - q \pm z \sqrt{\frac{p + q - (p - q)^2}{n + 2}}

    Args:
        gained: samples wrong before and right after.
        lost: samples right before and wrong after.
        count: all samples, those that did not change among them; 1 or more.
    """
    n = count + 2
    p, q = (gained + 1) / n, (lost + 1) / n
    half = Z * math.sqrt(max(p + q - (p - q) ** 2, 0.0) / n)
    return Interval(max(p - q - half, -1.0), min(p - q + half, 1.0))


def mcnemar(gained: int, lost: int) -> float:
    """The mid-p value of McNemar's test: how often a change at least this one-sided comes about by chance.

    Under the null hypothesis every sample that changed was as likely to turn right as wrong; the outcome itself is
    counted by half, so that the test is not as timid as the exact one.

    >>> round(mcnemar(1, 7), 4)
    0.0391
    """
    changed, fewer = gained + lost, min(gained, lost)
    if gained == lost:
        return 1.0
    return min(1.0, 2 * sum(_binomial(k, changed) for k in range(fewer)) + _binomial(fewer, changed))


def _binomial(k: int, n: int) -> float:
    """The probability of k heads in n fair throws."""
    logarithm = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    return math.exp(logarithm)
