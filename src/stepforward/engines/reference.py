"""The specification as an engine: slow, exact, and what every other engine is tested against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import step
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.loss import cross_entropy
from stepforward.engines.protocol import Batch, Move, Snapshot, Trial
from stepforward.errors import StepforwardError
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.program.run import logits, run
from stepforward.program.weights import pack_all, unpack_all


class ReferenceEngine:
    """Runs a program by the NumPy definition; see `engines.protocol.Engine` for the methods."""

    def __init__(self, program: Program, plan: TrainingPlan | None = None):
        self.program = program
        self.plan = plan
        self._entries = plan.trainable if plan else ()
        self._weights = unpack_all(program)
        self._velocity: dict[int, Int] = {}
        if plan is not None and plan.momentum:
            sizes = {entry.tensor: program.tensors[entry.tensor].elements for entry in plan.trainable}
            self._velocity = {tensor: np.zeros(size, dtype=np.int64) for tensor, size in sizes.items()}

    def losses(self, step: int, batch: Batch, trials: Sequence[Trial]) -> list[int]:
        """Loss of each trial, summed over its rows, as exact integers."""
        program, x = self.program, batch.x.astype(np.int64)
        if self.plan is None:
            raise StepforwardError(
                "this engine has no training plan, which says what the loss is and how weights move",
                "make it with ReferenceEngine(program, plan)",
            )
        cut, pair = self.plan.first_op, (self.plan.objective.mult, self.plan.objective.shift)
        known = run(program, program.ops[:cut], self._weights, {program.input: x})
        totals = []
        for trial in trials:
            rows = {tensor: value[trial.rows] for tensor, value in known.items()}
            values = run(program, program.ops[cut:], self._moved(step, trial.moves), rows)
            found, y = values[program.output], batch.y[trial.rows]
            totals.append(int(cross_entropy(found.reshape(len(y), -1), y, *pair).sum()))
        return totals

    def _moved(self, step_number: int, moves: Sequence[Move]) -> dict[int, Int]:
        weights = dict(self._weights)
        for entry in self._entries if moves else ():
            tensor, w = self.program.tensors[entry.tensor], weights[entry.tensor]
            moved = step.perturb(self.plan, entry, tensor, w.reshape(-1), step_number, moves)
            weights[entry.tensor] = moved.reshape(w.shape)
        return weights

    def update(self, step_number: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step."""
        for entry in self._entries:
            tensor, w = self.program.tensors[entry.tensor], self._weights[entry.tensor]
            velocity = self._velocity.get(entry.tensor)
            moved = step.update(self.plan, entry, tensor, w.reshape(-1), velocity, step_number, votes)
            self._weights[entry.tensor] = moved.reshape(w.shape)

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """Integer logits, shape (n, classes)."""
        return (logits(self.program, self._weights, batch.x).astype(np.int32),)

    def snapshot(self) -> Snapshot:
        """The weights section, and the momentum of each trainable tensor in the plan's order, s16."""
        momentum = b"".join(v.astype("<i2").tobytes() for v in self._velocity.values())
        return Snapshot(pack_all(self.program, self._weights), momentum)

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back."""
        self._weights = unpack_all(self.program, snapshot.weights)
        at, momentum = 0, np.frombuffer(snapshot.state, dtype="<i2")
        for velocity in self._velocity.values():
            velocity[:] = momentum[at : at + velocity.size] if len(momentum) else 0
            at += velocity.size
