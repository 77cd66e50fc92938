"""Confusion matrices as the report shows them: coloured cells, an image for many classes, the commonest mistakes."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stepforward.intervals import Interval

MOST_CELLS = 40
"""Up to this many classes a matrix is a table with counts; above, an image of one pixel per cell."""

RIGHT, WRONG = (37, 99, 235), (217, 83, 25)


@dataclass(frozen=True)
class Cell:
    """One cell: the count, its share of the true class's samples, and whether it is on the diagonal."""

    count: int
    share: float
    right: bool


class ClassScore(NamedTuple):
    """One class: its samples and the fraction classified correctly before and after, None without samples.

    `sign` is +1 or -1 where the change is beyond the noise of the samples, else 0.
    """

    name: str
    samples: int
    before: float | None
    after: float | None
    sign: int = 0

    @property
    def change(self) -> float | None:
        """After less before; None where either is not known."""
        return None if self.before is None or self.after is None else self.after - self.before


def _shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def cells(confusion: list[list[int]]) -> list[list[Cell]]:
    """The cells of a confusion matrix (rows = true class), row by row."""
    matrix = np.asarray(confusion, dtype=np.int64)
    shares = _shares(matrix)
    return [
        [Cell(int(count), float(shares[i, j]), i == j) for j, count in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def image(confusion: list[list[int]]) -> str:
    """The matrix as a transparent PNG data URI, one pixel per cell, more opaque for a larger share of its row."""
    matrix = np.asarray(confusion, dtype=np.int64)
    pixels = np.empty((*matrix.shape, 4), np.uint8)
    pixels[..., :3] = WRONG
    pixels[np.arange(len(matrix)), np.arange(len(matrix)), :3] = RIGHT
    # The square root keeps rare mistakes visible.
    pixels[..., 3] = np.round(255 * np.sqrt(_shares(matrix)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def commonest(confusion: list[list[int]], names: list[str], most: int = 15) -> list[tuple[str, str, int]]:
    """The commonest mistakes: (true class, taken for, count), most frequent first."""
    matrix = np.array(confusion, dtype=np.int64)
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:most]
    pairs = [divmod(int(flat), len(names)) for flat in order]
    return [(names[i], names[j], int(matrix[i, j])) for i, j in pairs if matrix[i, j]]


def class_scores(
    before: list[list[int]],
    after: list[list[int]] | None,
    names: list[str],
    intervals: Sequence[Interval | None] | None = None,
) -> list[ClassScore]:
    """Per-class accuracy from one or two confusion matrices of the same samples.

    Args:
        after: None when there is one matrix only; every `after` is None then.
        intervals: of the differences, one for each class; None where there is none.
    """
    scores = []
    ends = intervals or [None] * len(names)
    for i, (name, interval) in enumerate(zip(names, ends, strict=True)):
        samples = sum(before[i])
        scores.append(
            ClassScore(
                name,
                samples,
                before[i][i] / samples if samples else None,
                after[i][i] / samples if samples and after else None,
                interval.sign if interval else 0,
            )
        )
    return scores
