"""How good a set of logits is: accuracy, integer loss, confusion matrix."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.loss import cross_entropy, loss_rescale
from stepforward.program.model import Program

NATS = math.log(2) / 65536
"""Nats in one unit of the integer loss."""


@dataclass(frozen=True, eq=False)
class Score:
    """Result of a set of samples.

    Attributes:
        labels: (N,) true classes.
        right: (N,) bool: whose largest logit is the label's (the first of equal ones).
        losses: (N,) of each sample; int64 units of 2^-16 bit for fixed-point engines, float64 nats for float ones.
        confusion: (classes, classes) int64 counts, one row per true class.
        unit: nats per unit of loss.
    """

    labels: NDArray[np.integer]
    right: NDArray[np.bool_]
    losses: NDArray
    confusion: NDArray[np.int64]
    unit: float = NATS

    @property
    def count(self) -> int:
        """Samples."""
        return len(self.right)

    @property
    def correct(self) -> int:
        """Samples that are classified correctly."""
        return int(self.right.sum())

    @property
    def loss(self) -> int | float:
        """Summed, in units of `unit`."""
        return self.losses.sum().item()

    @property
    def accuracy(self) -> float:
        """Share of correct samples."""
        return self.correct / self.count

    @property
    def mean_recall(self) -> float:
        """Accuracy where every class counts alike: the mean over classes with samples."""
        return float(np.mean([self.right[self.labels == label].mean() for label in np.unique(self.labels)]))

    @property
    def nats(self) -> float:
        """Mean loss per sample in nats."""
        return self.loss * self.unit / self.count

    def weighed(self, weights: NDArray[np.int64]) -> tuple[int, int | float]:
        """Correct samples and summed loss, where sample i counts as `weights[i]` samples."""
        return int(weights[self.right].sum()), (weights * self.losses).sum().item()


def confusion_matrix(logits: NDArray, y: NDArray) -> NDArray[np.int64]:
    """Counts of (true class, largest logit)."""
    matrix = np.zeros((logits.shape[1], logits.shape[1]), dtype=np.int64)
    np.add.at(matrix, (y, logits.argmax(axis=1)), 1)
    return matrix


def score(
    program: Program, logits: NDArray[np.integer], y: NDArray[np.integer], temperature: float = 1.0
) -> Score:
    """Score integer logits with the contract's own loss, of the logits divided by a temperature."""
    pair = loss_rescale(program.tensors[program.output].scale[0], temperature)
    losses = np.asarray(cross_entropy(logits, y, *pair), np.int64)
    return Score(y, logits.argmax(axis=1) == y, losses, confusion_matrix(logits, y))


def score_float(logits: NDArray[np.floating], y: NDArray[np.integer]) -> Score:
    """Score float logits; the loss is in nats, NaN where training diverged."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return Score(y, logits.argmax(axis=1) == y, losses, confusion_matrix(logits, y), unit=1.0)


def class_weights(y: NDArray[np.integer], balance: bool) -> NDArray[np.int64]:
    """How many samples each sample counts as: one, or with `balance` as many as make all classes count alike.

    Balanced weights are whole numbers too: 2^31 shared equally by the K classes there are, and 2^31 / K shared by the
    samples of a class, rounded down. Their sum fits 32 bits, and the losses that they weigh 64.

    >>> class_weights(np.array([0, 0, 0, 1]), balance=True) / 2**31
    array([0.16666667, 0.16666667, 0.16666667, 0.5       ])
    """
    if not balance:
        return np.ones(len(y), np.int64)
    _, positions, counts = np.unique(y, return_inverse=True, return_counts=True)
    return (2**31 // len(counts) // counts)[positions].astype(np.int64)
