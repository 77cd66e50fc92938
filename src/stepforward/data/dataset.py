"""Labelled samples in memory, ready for the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepforward.data.rows import reorder


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples, labels and where they came from.

    Attributes:
        x: network inputs, float32, shape (N, C, H, W).
        y: class indices into `class_names`, int64, shape (N,).
        class_names: the model's classes, in the order of its outputs.
        sources: one file name or row label per sample, for messages and reports.
        notes: what a person should know about the data: files that were skipped, what was assumed.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> "Dataset":
        """The samples at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        sources = tuple(self.sources[i] for i in chosen.tolist())
        return replace(self, x=self.x[chosen], y=self.y[chosen], sources=sources)

    def divide(self, *parts: NDArray[np.int64], in_place: bool) -> "tuple[Dataset, ...]":
        """The samples of each part, in its order, without a second copy of `x` where it may be reordered.

        Args:
            parts: sample numbers; together every sample once.
            in_place: reorder `x` itself and return views of it. This dataset is not to be used afterwards.
        """
        if not in_place:
            return tuple(self.take(part) for part in parts)
        x, first, divided = self.x, 0, []
        reorder(x, np.concatenate(parts))
        for part in parts:
            sources = tuple(self.sources[i] for i in part.tolist())
            divided.append(replace(self, x=x[first : first + len(part)], y=self.y[part], sources=sources))
            first += len(part)
        return tuple(divided)
