"""The specification as an engine: slow, exact, and what every other engine is tested against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import fractions, step
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.loss import cross_entropy
from stepforward.engines.protocol import Batch, Move, Snapshot, Trial
from stepforward.errors import StepforwardError
from stepforward.plan.model import Trainable, TrainingPlan, fraction_bytes
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
        self._fractions: dict[int, Int] = {}
        self._held: list[tuple[int, ...]] = []
        self._read_state(b"")

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
            tensor, w = self.program.tensors[entry.tensor], self._long(entry)
            moved = step.perturb(self.plan, entry, tensor, w, step_number, moves)
            weights[entry.tensor] = moved.reshape(tensor.shape)
        return weights

    def _long(self, entry: Trainable) -> Int:
        """A trainable tensor, flat, with its fraction bits if it has any."""
        w, fraction = self._weights[entry.tensor].reshape(-1), self._fractions.get(entry.tensor)
        return w if fraction is None else fractions.long_number(w, fraction, entry.fraction_bits)

    def update(self, step_number: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step."""
        held: list[tuple[int, ...]] = []
        if self.plan is not None and self._held:
            place = step_number % self.plan.accumulate
            self._held[place] = tuple(votes)
            if not step.moves_now(self.plan, step_number):
                return
            held = self._held[: place + 1]
        for entry in self._entries:
            tensor, velocity = self.program.tensors[entry.tensor], self._velocity.get(entry.tensor)
            w = self._long(entry)
            if held:
                moved = step.update_together(self.plan, entry, tensor, w, step_number, held)
            else:
                moved = step.update(self.plan, entry, tensor, w, velocity, step_number, votes)
            if entry.fraction_bits:
                moved, self._fractions[entry.tensor] = fractions.split(moved, entry.fraction_bits)
            self._weights[entry.tensor] = moved.reshape(tensor.shape)

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """Integer logits, shape (n, classes)."""
        return (logits(self.program, self._weights, batch.x).astype(np.int32),)

    def snapshot(self) -> Snapshot:
        """The weights section, and the state as the plan lays it out."""
        held = {
            "momentum": b"".join(v.astype("<i2").tobytes() for v in self._velocity.values()),
            "fractions": b"".join(
                fractions.pack(self._fractions[entry.tensor], entry.fraction_bits)
                for entry in self._entries
                if entry.fraction_bits
            ),
            "held votes": np.array(self._held, dtype=np.int8).tobytes(),
        }
        state = bytearray(self.plan.state_bytes if self.plan else 0)
        for part in self.plan.state if self.plan else ():
            state[part.first : part.first + part.bytes] = held[part.kind]
        return Snapshot(pack_all(self.program, self._weights), bytes(state))

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back."""
        self._weights = unpack_all(self.program, snapshot.weights)
        self._read_state(snapshot.state)

    def _read_state(self, state: bytes) -> None:
        """Take the state as a snapshot has it; none stands for zeros."""
        if self.plan is None:
            return
        state = state or bytes(self.plan.state_bytes)
        first = {part.kind: part.first for part in self.plan.state}
        at = first.get("fractions", 0)
        if "held votes" in first:
            m, count = self.plan.directions, self.plan.accumulate
            held = np.frombuffer(state, np.int8, count * m, first["held votes"]).reshape(count, m)
            self._held = [tuple(votes) for votes in held.tolist()]
        for index, entry in enumerate(self._entries):
            size = self.program.tensors[entry.tensor].elements
            if "momentum" in first:
                begin = first["momentum"] + 2 * entry.first_element
                velocity = np.frombuffer(state, "<i2", size, begin)
                self._velocity[entry.tensor] = velocity.astype(np.int64)
            if entry.fraction_bits:
                end = at + fraction_bytes(self.plan, index)
                self._fractions[entry.tensor] = fractions.unpack(state[at:end], entry.fraction_bits, size)
                at = end
