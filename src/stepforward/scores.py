"""How good a set of logits is: accuracy, integer loss, confusion matrix."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.program.model import Program
from stepforward.reference.loss import cross_entropy

NATS = math.log(2) / 65536
"""Nats in one unit of the integer loss."""


@dataclass(frozen=True)
class Score:
    """Result of a set of samples.

    Attributes:
        correct: samples whose largest logit is the label's (the first of equal ones).
        count: samples.
        loss: summed; integer units of 2^-16 bit for fixed-point engines, nats for float ones.
        confusion: (classes, classes) counts, one row per true class.
        unit: nats per unit of loss.
    """

    correct: int
    count: int
    loss: float
    confusion: NDArray[np.int64]
    unit: float = NATS

    @property
    def accuracy(self) -> float:
        """Share of correct samples."""
        return self.correct / self.count

    @property
    def nats(self) -> float:
        """Mean loss per sample in nats."""
        return self.loss * self.unit / self.count


def confusion_matrix(logits: NDArray, y: NDArray) -> NDArray[np.int64]:
    """Counts of (true class, largest logit)."""
    matrix = np.zeros((logits.shape[1], logits.shape[1]), dtype=np.int64)
    np.add.at(matrix, (y, logits.argmax(axis=1)), 1)
    return matrix


def score(program: Program, logits: NDArray[np.integer], y: NDArray[np.integer]) -> Score:
    """Score integer logits with the contract's own loss."""
    matrix = confusion_matrix(logits, y)
    loss = int(cross_entropy(logits, y, *program.loss_rescale).sum())
    return Score(int(np.trace(matrix)), len(y), loss, matrix)


def score_float(logits: NDArray[np.floating], y: NDArray[np.integer]) -> Score:
    """Score float logits; the loss is in nats, NaN where training diverged."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    matrix = confusion_matrix(logits, y)
    return Score(int(np.trace(matrix)), len(y), float(losses.sum()), matrix, unit=1.0)
