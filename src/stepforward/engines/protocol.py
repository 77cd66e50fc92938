"""Everything a method needs of an engine, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program

Arrays = Mapping[str, NDArray[Any]]


class Move(NamedTuple):
    """Move the trainable weights by `amount * eps * z(seed, step, direction)` while a loss is computed.

    The seed and epsilon belong to the engine's training plan; no engine ever has to store z.
    """

    direction: int
    amount: int  # in steps of epsilon: +1, -1, or 0


class Trial(NamedTuple):
    """What a loss is wanted of: the sum of some moves, on some of a batch's samples.

    >>> Trial((Move(direction=3, amount=-1),), rows=slice(3, None, 4))  # every fourth sample, from sample 3 on
    Trial(moves=(Move(direction=3, amount=-1),), rows=slice(3, None, 4))
    """

    moves: tuple[Move, ...] = ()
    rows: slice = slice(None)


PLAIN = Trial()
"""The weights as they are, on all samples."""


@dataclass(frozen=True)
class Batch:
    """Samples that are run together: arrays by name, each with one row per sample.

    Attributes:
        inputs: what goes into the network, by the names of its inputs; with one input the name is free.
        targets: what should come out; empty where it is not known.
    """

    inputs: Arrays
    targets: Arrays = field(default_factory=dict)

    @staticmethod
    def of(x: NDArray[Any], y: NDArray[Any] | None = None) -> "Batch":
        """Samples with one input and, where they are known, labels.

        >>> len(Batch.of(np.zeros((5, 28, 28, 1), np.int8), np.zeros(5, np.int32)))
        5
        """
        return Batch({"x": x}, {} if y is None else {"y": y})

    @property
    def x(self) -> NDArray[Any]:
        """The only input.

        Raises:
            StepforwardError: there is another number of inputs.
        """
        return _only(self.inputs, "input")

    @property
    def y(self) -> NDArray[Any]:
        """The only target.

        Raises:
            StepforwardError: there is another number of targets.
        """
        return _only(self.targets, "target")

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def _only(arrays: Arrays, kind: str) -> NDArray[Any]:
    if len(arrays) != 1:
        raise StepforwardError(
            f"a batch with {len(arrays)} {kind}s ({', '.join(arrays) or 'none'}) where one is wanted",
            f"give one {kind}",
        )
    (array,) = arrays.values()
    return array


class Snapshot(NamedTuple):
    """What an engine with integer weights holds between two steps."""

    weights: bytes  # the program's weights section
    state: bytes = b""  # of the optimizer, such as momentum; empty: as it is before the first step


class Engine(Protocol):
    """Runs one program; owns the only writable copy of its weights."""

    program: Program
    plan: TrainingPlan | None
    vote_scale: int
    """What graded votes are measured by: part of the state, for the journal; 0 where votes are signs."""

    def losses(self, step: int, batch: Batch, trials: Sequence[Trial], gather: bool = False) -> list[int]:
        """Loss of each trial, summed over its rows, as exact integers (contract, section 5).

        All trials of a step come in one call, so that an engine can share among them what they have in common.

        Args:
            step: number of the step, which names its directions.
            batch: samples in the program's input format, s8, shape (n, *program.input.shape); labels in
                0 .. classes-1, shape (n,).
            trials: how to move the trainable weights, and the samples of the batch to try that on.
            gather: whether the samples count in the gradient of the plan's tail, which the next update applies.
        """
        ...

    def votes(self, losses: Sequence[int]) -> tuple[int, ...]:
        """The votes of a step, one s8 for each direction, as its plan makes them (contract, section 8).

        Args:
            losses: on either side of each direction, + before -. With graded votes their scale moves.
        """
        ...

    def curved(self, step: int, batch: Batch) -> tuple[list[int], tuple[int, ...]]:
        """The losses of the weights as they are and along each direction of a step, and its curved votes (contract,
        section 8). A tail gathers from all of them.

        Args:
            step: number of the step.
            batch: as `losses` takes it; every direction is tried on all of its samples.
        """
        ...

    def update(self, step: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step: along the directions of `step` (contract, section 8), and the plan's
        tail by the gradient that was gathered (section 10)."""
        ...

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """What the program gives for each sample; of a classifier one array of integer logits, shape (n, classes)."""
        ...

    def snapshot(self) -> Snapshot:
        """A copy of the weights and the optimizer's state."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back, weights and state."""
        ...


class GradientEngine(Protocol):
    """What backpropagation needs; `engines.torch.TorchEngine` is one. The optimizer's state is the method's."""

    trainable: tuple[str, ...]

    def gradients(self, batch: Batch) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """Mean loss of a batch, and the gradient of each trainable parameter."""
        ...

    def apply(self, moves: Mapping[str, NDArray[np.float32]]) -> None:
        """Add an array to each parameter named."""
        ...


class HasOutputs(Protocol):
    """Any engine that runs a network."""

    def outputs(self, batch: Batch) -> tuple[NDArray[Any], ...]:
        """What the network gives for each sample."""
        ...


def logits_of(engine: HasOutputs, x: NDArray[Any]) -> NDArray[Any]:
    """The only output for samples of the only input, shape (n, classes)."""
    (found,) = engine.outputs(Batch.of(x))
    return found
