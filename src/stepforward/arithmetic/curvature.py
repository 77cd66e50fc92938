"""Curved votes: how far to go along each direction, by what all of a step do to the logits (contract, section 8).

Gauss-Newton within the directions of one step: the logits' first differences along the directions give the gradient and
the curvature of the loss there, in which the best move is the solution of one small system.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int, clamp, quantize_multiplier
from stepforward.arithmetic.tail import errors

ONE, MOST = 32, 127
"""A vote that goes as far as the direction was tried, and the largest."""

UNITS = 16
"""A plan has its multiplier in units of two to the power of so many."""

SHARE_BITS = 14
"""Fraction bits of a softmax."""

SMOOTHING = 3
"""Curvature is that of shares one over so many powers of two of the way to equal ones: samples that the network
is sure of have next to no slope, and would have no curvature either, and steps would grow as the loss falls."""

DAMPING = 3
"""Of the mean curvature along a direction, one over so many powers of two is added to that along each."""

_PIVOT_BITS, _RATIO_BITS, _VOTE_BITS = 24, 20, 8
_FARTHEST, _RIGHT_SIDE = 2**24, 2**32


def sums(plain: NDArray[np.integer], moved: NDArray[np.integer], found: Int, shares: Int) -> tuple[Int, Int]:
    """What a batch adds up to: curvatures, shape (m, m), and slopes, shape (m,).

    Args:
        plain: logits of the weights as they are, shape (n, classes).
        moved: those along each direction, shape (m, n, classes).
        found: how fast the objective rises with each logit, shape (n, classes), `SHARE_BITS` fraction bits.
        shares: the softmax, the same.
    """
    change = clamp(moved.astype(np.int64) - plain.astype(np.int64), -32767, 32767)
    smooth = smoothed(shares)
    about = about_mean(change, smooth)
    weighed = smooth * about
    m = len(moved)
    curvatures = np.array(
        [[int((weighed[i] * about[j]).sum()) for j in range(m)] for i in range(m)], dtype=np.int64
    )
    return curvatures, (found * change).sum(axis=(1, 2))


def smoothed(shares: Int) -> Int:
    """Shares of a softmax, shape (n, classes), on their way to equal ones."""
    return shares - (shares >> SMOOTHING) + (1 << SHARE_BITS >> SMOOTHING) // shares.shape[1]


def about_mean(change: Int, shares: Int) -> Int:
    """Changes of logits, shape (..., n, classes), less their mean by the shares of each sample."""
    return change - ((shares * change).sum(axis=-1, keepdims=True) + (1 << SHARE_BITS - 1) >> SHARE_BITS)


def of_labels(
    plain: NDArray[np.integer], labels: NDArray[np.integer], mult: int, shift: int
) -> tuple[Int, Int]:
    """What `sums` takes of a cross-entropy: errors and softmax.

    Args:
        plain: logits, shape (n, classes).
        labels: shape (n,), in 0 .. classes-1.
        mult, shift: of the objective, as `arithmetic.loss.cross_entropy` takes them.
    """
    found = errors(plain, labels, mult, shift, SHARE_BITS)
    shares = found.copy()
    shares[np.arange(len(labels)), labels] += 1 << SHARE_BITS
    return found, shares


def votes(curvatures: Int, slopes: Int, mult: int, shift: int) -> tuple[int, ...]:
    """The votes of a step.

    Args:
        curvatures, slopes: what `sums` gave.
        mult, shift: of the plan: a step of a logit, in shares of `ONE` of epsilon.

    >>> votes(np.array([[2**20, 0], [0, 2**20]]), np.array([300, -100]), 40960, 0)
    (10, -3)
    """
    m = len(slopes)
    own = [int(curvatures[i][i]) for i in range(m)]
    damping = (sum(curvature // m for curvature in own) >> DAMPING) + 1
    # damped pivots are below 2^24, so that products with ratios of 20 fraction bits stay in 63 bits
    less = max(0, (max(own) + damping).bit_length() - _PIVOT_BITS)
    ratios, pivots, right = [[0] * m for _ in range(m)], [0] * m, [0] * m
    for i in range(m):
        row = [0] * m
        for j in range(i):
            above = sum(ratios[j][k] * row[k] for k in range(j))
            row[j] = (int(curvatures[i][j]) >> less) - (above >> _RATIO_BITS)
        for j in range(i):
            ratios[i][j] = _quotient(row[j] << _RATIO_BITS, pivots[j])
        taken = sum(ratios[i][j] * row[j] for j in range(i)) >> _RATIO_BITS
        pivots[i] = max((own[i] + damping >> less) - taken, 1 + (damping >> less) // 2)
        before = sum(ratios[i][j] * right[j] for j in range(i)) >> _RATIO_BITS
        right[i] = _within(_scaled(int(slopes[i]), mult, shift + less) - before, _RIGHT_SIDE)
    found = [0] * m
    for i in reversed(range(m)):
        after = sum(ratios[j][i] * found[j] for j in range(i + 1, m)) >> _RATIO_BITS
        found[i] = _within(_quotient(right[i] << _VOTE_BITS, pivots[i]) - after, _FARTHEST)
    return _shortened(found)


def of_a_step(scale: float, temperature: float = 1.0) -> tuple[int, int]:
    """Multiplier and shift of a plan for `votes`: a step of a logit, in shares of `ONE` of epsilon, in units of two to
    the power of `UNITS`.

    Args:
        scale: of the logits.
        temperature: that they are divided by.
    """
    return quantize_multiplier(ONE * temperature / scale / 2**UNITS)


def state_bytes(directions: int, classes: int) -> int:
    """Of the sums of a step, and of the logits of one sample along all directions."""
    return 4 + 8 * (directions + directions * (directions + 1) // 2) + 4 * (1 + directions) * classes


def _scaled(slope: int, mult: int, shift: int) -> int:
    """`slope * mult / 2^shift`, kept within what a right side may be; the shift may be negative."""
    product = slope * mult
    if shift >= 0:
        return _within((product + (1 << shift >> 1)) >> shift, _RIGHT_SIDE) if shift < 62 else 0
    return _within(_within(product, _RIGHT_SIDE) << -shift, _RIGHT_SIDE)


def _shortened(found: Sequence[int]) -> tuple[int, ...]:
    """Rounded; where one would go beyond what was tried, all are shortened alike."""
    farthest = max(map(abs, found))
    most = MOST << _VOTE_BITS
    kept = [_quotient(vote * most, farthest) for vote in found] if farthest > most else found
    return tuple(_quotient(vote, 1 << _VOTE_BITS) for vote in kept)


def _quotient(value: int, divisor: int) -> int:
    """Rounded to the nearest, halves away from zero."""
    size = (abs(value) + divisor // 2) // divisor
    return size if value >= 0 else -size


def _within(value: int, most: int) -> int:
    return max(-most, min(most, value))
