"""Descent of a network taken for linear in its biases (contract, section 15).

What each bias alone does to the logits of every sample is the network's Jacobian. With it the loss can be followed
downhill for many steps of all samples, and no further forward pass.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.curvature import SHARE_BITS, UNITS, about_mean, of_labels, smoothed
from stepforward.arithmetic.fixedpoint import Int, clamp
from stepforward.arithmetic.tail import errors

FRACTION = 16
"""Fraction bits of a move, whose unit is how far a bias was tried."""

CHECKS = (2, 4, 8, 16, 32, 64, 128)
"""Steps after which the moves are given out: how far the network is linear, other samples have to say."""

_DAMPING, _MOMENTUM, _MOST_CHANGE = 8, 3, 32767


def descent(
    plain: NDArray[np.integer],
    changes: NDArray[np.integer],
    labels: NDArray[np.integer],
    objective: tuple[int, int],
    unit: tuple[int, int],
    farthest: NDArray[np.integer],
) -> Iterator[Int]:
    r"""The moves of all biases after each number of steps of `CHECKS`.

    A step goes down the gradient with a momentum of seven eighths. Each bias has a rate of its own, one over its
    Fisher information (of shares that are smoothed, as for curved votes) and over their number, which is that of
    Newton's method if all biases pulled the same way.

    .. math::
        v \leftarrow \tfrac78 v + \sum_{s,c} e_{sc} D_{scb}, \qquad
        u_b \leftarrow u_b - v_b / (F_b + \bar F / 256) B, \qquad
        e = \mathrm{softmax}(z + D u) - y

    Args:
        plain: logits of the samples, shape (n, classes).
        changes: what each bias alone does to them, shape (B, n, classes), at most 32767.
        labels: shape (n,), in 0 .. classes-1.
        objective: multiplier and shift of the loss, as `arithmetic.loss.cross_entropy` takes them.
        unit: multiplier and shift of one nat in steps of a logit, in units of two to the power of `curvature.UNITS`.
        farthest: how far each bias may move, shape (B,), `FRACTION` fraction bits of how far it was tried.

    Yields:
        Shape (B,), `FRACTION` fraction bits of how far each bias was tried.
    """
    count, (n, classes) = len(changes), plain.shape
    change = clamp(changes, -_MOST_CHANGE, _MOST_CHANGE)
    fishers = _fisher(change, smoothed(of_labels(plain, labels, *objective)[1]))
    inverse = [(fisher + (sum(fishers) // count >> _DAMPING) + 1) * count for fisher in fishers]
    by_bias = change.reshape(count, n * classes).astype(_holding(change, farthest))
    (mult, shift), limits = unit, farthest.tolist()
    moves, speed = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for step in range(1, CHECKS[-1] + 1):
        by_all = (moves.astype(by_bias.dtype) @ by_bias).astype(np.int64)
        logits = plain + (by_all + (1 << FRACTION - 1) >> FRACTION).reshape(n, classes)
        wrong = errors(logits, labels, *objective, SHARE_BITS).ravel()
        pull = (by_bias @ wrong.astype(by_bias.dtype)).astype(np.int64)
        speed += pull - (speed >> _MOMENTUM)
        own = [
            max(-most, min((int(v) * mult << FRACTION + UNITS) // (of << shift), most))
            for v, of, most in zip(speed, inverse, limits, strict=True)
        ]
        moves = np.clip(moves - np.array(own, np.int64), -farthest, farthest)
        if step in CHECKS:
            yield moves


def _holding(change: Int, farthest: NDArray[np.integer]) -> type[np.float64 | np.int64]:
    """What holds all sums of products exactly: doubles up to 2^53, which have fast products of matrices."""
    count, n, classes = change.shape
    most = _MOST_CHANGE * max(count * int(farthest.max()), n * classes << SHARE_BITS)
    return np.float64 if most < 2**53 else np.int64


def _fisher(change: Int, shares: Int) -> list[int]:
    """Of each bias: the variance of what it does to the logits under the softmax, summed over samples."""
    return [int((shares * about_mean(own, shares) ** 2).sum()) for own in change]
