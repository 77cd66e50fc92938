"""A linear layer from the samples alone, in closed form: by class means, or by regularized least squares (contract,
section 13)."""

from collections.abc import Callable
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int

FRACTION = 32
"""Fraction bits of what is solved for."""


class Head(NamedTuple):
    """Python's integers, which have no limit, with `FRACTION` bits of fraction.

    Attributes:
        weight: shape (classes, inputs).
        bias: shape (classes,).
    """

    weight: NDArray[np.object_]
    bias: NDArray[np.object_]


def class_means(x: Int, y: NDArray[np.integer], classes: int) -> Head:
    r"""Each class by its mean, at the distance that the samples of a class have of theirs.

    .. math:: w_c = (\mu_c - \mu) / \sigma^2, \qquad b_c = -(|\mu_c|^2 - |\mu|^2) / 2 \sigma^2

    On a device these are sums over the samples.

    Args:
        x: inputs of the layer without their zero point, shape (n, inputs).
        y: labels, shape (n,); every class must be there.
        classes: how many.

    >>> head = class_means(np.array([[0, 4], [0, 8], [6, 0], [4, 0]]), np.array([0, 0, 1, 1]), 2)
    >>> [[round(v / 2**FRACTION, 6) for v in row] for row in (*head.weight, head.bias)]
    [[-2.0, 2.4], [2.0, -2.4], [-8.3, -3.9]]
    """
    n, inputs = x.shape
    counts = np.bincount(y, minlength=classes).astype(object)
    sums = np.zeros((classes, inputs), dtype=np.int64)
    np.add.at(sums, y, x)
    mean = (sums.astype(object) << FRACTION) // counts[:, None]
    middle = (x.sum(axis=0).astype(object) << FRACTION) // n
    within = (int((x * x).sum()) << 2 * FRACTION) - int((counts[:, None] * mean * mean).sum())
    variance = max(within // (n * inputs), 1)  # twice the fraction
    lengths = (mean * mean).sum(axis=1) - (middle * middle).sum()
    return Head(((mean - middle) << 2 * FRACTION) // variance, -((lengths << FRACTION) // (2 * variance)))


def solved(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """`a^-1 b` of a symmetric positive definite `a`; both with `FRACTION` bits, as the result, and overwritten."""
    size = len(a)
    for j in range(size):
        factor = (a[j + 1 :, j] << FRACTION) // a[j, j]
        a[j + 1 :, j + 1 :] -= (factor[:, None] * a[j, j + 1 :]) >> FRACTION
        b[j + 1 :] -= (factor[:, None] * b[j]) >> FRACTION
    found = np.zeros_like(b)
    for j in reversed(range(size)):
        rest = (b[j] << FRACTION) - (a[j, j + 1 :, None] * found[j + 1 :]).sum(axis=0)
        found[j] = rest // a[j, j]
    return found


Solver = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


def least_squares(x: Int, y: NDArray[np.integer], classes: int, damping: int, solve: Solver = solved) -> Head:
    r"""What comes nearest to C at the label less one everywhere, for C classes, with weights that are not too large.

    .. math:: \min_w \sum_s |w x_s - (C e_{y_s} - 1)|^2 + 2^{-k} \frac{\sum_s |x_s|^2}{d} |w|^2

    The bias is the weight of one more input, as large as the others are on average. Solved by elimination without
    pivots, of numbers with 32 bits of fraction, rounded down.

    Args:
        x, y, classes: as of `class_means`.
        damping: k.
        solve: as `solved`, which another may be faster than.
    """
    n = len(x)
    one = max(isqrt(int((x * x).sum()) // max(x.size, 1)), 1)
    x = np.concatenate([x, np.full((n, 1), one)], axis=1)
    wanted = np.full((n, classes), -1)
    wanted[np.arange(n), y] += classes
    gram, products = (np.array(part, dtype=object) << FRACTION for part in (x.T @ x, x.T @ wanted))
    gram[np.diag_indices(len(gram))] += max((int(np.trace(gram)) // len(gram)) >> damping, 1)
    found = solve(gram, products)
    return Head(found[:-1].T, found[-1] * one)


def in_quanta(head: NDArray[np.object_], factor: NDArray[np.float64]) -> NDArray[np.object_]:
    """Numbers of a `Head` times a real factor for each class, rounded half up."""
    exact = np.array([round(float(value) * 65536) for value in factor], dtype=object)
    exact = exact.reshape(-1, *[1] * (head.ndim - 1))
    return (head * exact + (1 << (FRACTION + 15))) >> (FRACTION + 16)
