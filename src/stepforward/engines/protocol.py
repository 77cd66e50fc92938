"""Everything a method needs of an engine, and nothing else."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stepforward.program.model import Program


class Perturbation(NamedTuple):
    """Move the trainable weights by `sign * eps * z(seed, step, direction)` while a loss is computed.

    The seed and epsilon belong to the engine's training plan; no engine ever has to store z.
    """

    step: int
    direction: int
    sign: int  # +1 or -1


class Engine(Protocol):
    """Runs one program; owns the only writable copy of its weights."""

    program: Program

    def losses(
        self,
        x: NDArray[np.int8],
        y: NDArray[np.int32],
        perturbations: Sequence[Perturbation | None],
    ) -> list[int]:
        """Loss of one batch under each perturbation, as exact integers (contract, section 5).

        All perturbations of a step come in one call, so that an engine can run the operators before the first
        trainable one once and share them.

        Args:
            x: samples, s8, shape (n, *program.input.shape), in the program's input format.
            y: labels in 0 .. classes-1, shape (n,).
            perturbations: what to add to the trainable weights; None for the weights as they are.
        """
        ...

    def update(self, step: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step along the directions of `step` (contract, section 8)."""
        ...

    def logits(self, x: NDArray[np.int8]) -> NDArray[np.int32]:
        """Integer logits, shape (n, classes)."""
        ...

    def weights(self) -> bytes:
        """Snapshot of the program's weights section."""
        ...

    def restore(self, weights: bytes) -> None:
        """Put a snapshot back. A momentum buffer, if any, is not touched."""
        ...
