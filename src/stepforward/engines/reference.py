"""The specification as an engine: slow, exact, and what every other engine is tested against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import step
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.loss import cross_entropy
from stepforward.engines.protocol import Perturbation
from stepforward.program.model import Program
from stepforward.program.run import logits, run
from stepforward.program.training_plan import TrainingPlan
from stepforward.program.weights import pack_all, unpack_all


class ReferenceEngine:
    """Runs a program by the NumPy definition; see `engines.protocol.Engine` for the methods."""

    def __init__(self, program: Program, plan: TrainingPlan | None = None):
        self.program = program
        self.plan = plan
        self._weights = unpack_all(program)
        self._velocity = {}
        if plan is not None and plan.momentum:
            sizes = {entry.tensor: program.tensors[entry.tensor].elements for entry in plan.trainable}
            self._velocity = {tensor: np.zeros(size, dtype=np.int64) for tensor, size in sizes.items()}

    def losses(
        self, x: NDArray[np.int8], y: NDArray[np.int32], perturbations: Sequence[Perturbation | None]
    ) -> list[int]:
        """Loss of one batch under each perturbation, as exact integers."""
        program = self.program
        cut = self.plan.first_op if self.plan else len(program.ops)
        known = run(program, program.ops[:cut], self._weights, {program.input: x.astype(np.int64)})
        totals = []
        for perturbation in perturbations:
            values = run(program, program.ops[cut:], self._perturbed(perturbation), known)
            found = values[program.output].reshape(len(x), -1)
            totals.append(int(cross_entropy(found, y, *program.loss_rescale).sum()))
        return totals

    def _perturbed(self, perturbation: Perturbation | None) -> dict[int, Int]:
        weights = dict(self._weights)
        if perturbation is not None:
            for entry in self.plan.trainable:
                tensor, w = self.program.tensors[entry.tensor], weights[entry.tensor]
                moved = step.perturb(self.plan, entry, tensor, w.reshape(-1), *perturbation)
                weights[entry.tensor] = moved.reshape(w.shape)
        return weights

    def update(self, step_number: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step."""
        for entry in self.plan.trainable:
            tensor, w = self.program.tensors[entry.tensor], self._weights[entry.tensor]
            velocity = self._velocity.get(entry.tensor)
            moved = step.update(self.plan, entry, tensor, w.reshape(-1), velocity, step_number, votes)
            self._weights[entry.tensor] = moved.reshape(w.shape)

    def logits(self, x: NDArray[np.int8]) -> NDArray[np.int32]:
        """Integer logits, shape (n, classes)."""
        return logits(self.program, self._weights, x).astype(np.int32)

    def weights(self) -> bytes:
        """Snapshot of the weights section."""
        return pack_all(self.program, self._weights)

    def restore(self, weights: bytes) -> None:
        """Put a snapshot back."""
        self._weights = unpack_all(self.program, weights)
