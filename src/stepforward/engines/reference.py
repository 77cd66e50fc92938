"""The specification as an engine: slow, exact, and what every other engine is tested against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import curvature, fractions, step
from stepforward.arithmetic import penultimate as before_last
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.loss import cross_entropy
from stepforward.arithmetic.masks import kept
from stepforward.arithmetic.tail import Sums, errors, gradients
from stepforward.arithmetic.votes import votes as votes_of
from stepforward.engines.protocol import Batch, Move, Snapshot, Trial
from stepforward.errors import StepforwardError
from stepforward.methods.trials import upward
from stepforward.plan.model import Penultimate, Tail, Trainable, TrainingPlan, fraction_bytes
from stepforward.plan.tail import most_rows_of
from stepforward.program.model import Program
from stepforward.program.penultimate import patches
from stepforward.program.run import logits, run
from stepforward.program.weights import pack_all, unpack_all


class ReferenceEngine:
    """Runs a program by the NumPy definition; see `engines.protocol.Engine` for the methods."""

    def __init__(self, program: Program, plan: TrainingPlan | None = None):
        self.program = program
        self.plan = plan
        self._entries = plan.voted if plan else ()
        self._tail = plan.trainable[len(plan.voted) :] if plan else ()
        self._weights = unpack_all(program)
        self._shapes = {entry.tensor: self._shape_of(entry) for entry in self._entries}
        self._forget()
        self._velocity: dict[int, Int] = {}
        self._squares: dict[int, Int] = {}
        self._fractions: dict[int, Int] = {}
        self.vote_scale = 0
        self._held: list[tuple[int, ...]] = []
        self._seen: list[Int] = []
        self._read_state(b"")

    def losses(self, step: int, batch: Batch, trials: Sequence[Trial], gather: bool = False) -> list[int]:
        """Loss of each trial, summed over its rows, as exact integers.

        Raises:
            StepforwardError: there is no plan, or more samples are gathered than it has room for.
        """
        program, x = self.program, batch.x.astype(np.int64)
        if self.plan is None:
            raise StepforwardError(
                "this engine has no training plan, which says what the loss is and how weights move",
                "make it with ReferenceEngine(program, plan)",
            )
        cut, pair = self.plan.first_op, (self.plan.objective.mult, self.plan.objective.shift)
        known = run(program, program.ops[:cut], self._weights, {program.input: x})
        totals, self._seen = [], []
        for trial in trials:
            rows = {tensor: value[trial.rows] for tensor, value in known.items()}
            values = run(program, program.ops[cut:], self._moved(step, trial.moves), rows)
            y = batch.y[trial.rows]
            found = values[program.output].reshape(len(y), -1)
            totals.append(int(cross_entropy(found, y, *pair).sum()))
            self._seen.append(found)
            if gather and self.plan.tail:
                self._gather(self.plan.tail, values, errors(found, y, *pair, self.plan.tail.bits))
        return totals

    def curved(self, step: int, batch: Batch) -> tuple[list[int], tuple[int, ...]]:
        """Losses of the weights as they are and along each direction, and the curved votes of a step.

        Raises:
            StepforwardError: the plan's votes are others.
        """
        if self.plan is None or self.plan.curve is None:
            raise StepforwardError("this plan has no curved votes", "make one with votes = curved")
        found = self.losses(step, batch, upward(self.plan.directions), gather=True)
        plain, *moved = self._seen
        pair = self.plan.objective.mult, self.plan.objective.shift
        curvatures, slopes = curvature.sums(
            plain, np.stack(moved), *curvature.of_labels(plain, np.asarray(batch.y), *pair)
        )
        curve = self.plan.curve
        return found, curvature.votes(curvatures, slopes, curve.mult, curve.shift - curvature.UNITS)

    def _gather(self, tail: Tail, values: dict[int, Int], found: Int) -> None:
        most = most_rows_of(self.program, tail)
        if self._sums.rows + len(found) > most:
            raise StepforwardError(
                f"a step of this plan gathers at most {most} samples", "make a plan for this batch size"
            )
        index = self.program.ops[tail.op].inputs[0]
        x = values[index].reshape(len(found), -1) - self.program.tensors[index].zero_point
        self._sums.add(x, found)
        if tail.before:
            self._gather_before(tail.before, values, found)

    def _gather_before(self, before: Penultimate, values: dict[int, Int], found: Int) -> None:
        op, last = self.program.ops[before.op], self._weights[self.program.ops[-1].weight]
        passed = before_last.passed_on(found, last.reshape(found.shape[1], -1), before.shift, before.bits)
        y = values[op.output].reshape(len(found), -1, passed.shape[1])
        moves = (y > op.what.lo) & (y < op.what.hi)
        self._before.add(patches(self.program, before.op, values[op.inputs[0]]), moves, passed)

    def _no_sums(self) -> Sums:
        if self.plan is None or self.plan.tail is None:
            return Sums.empty(0, 0)
        return Sums.empty(*self._rows_of(self.plan.tail.op))

    def _no_sums_before(self) -> before_last.Sums:
        if self.plan is None or self.plan.tail is None or self.plan.tail.before is None:
            return before_last.Sums.empty(0, 0)
        return before_last.Sums.empty(*self._rows_of(self.plan.tail.before.op))

    def _rows_of(self, op: int) -> tuple[int, int]:
        """Outputs of an operator, and weights of each."""
        weight = self.program.tensors[self.program.ops[op].weight]
        return weight.shape[0], weight.elements // weight.shape[0]

    def _shape_of(self, entry: Trainable) -> step.Shape:
        """What the plan makes of the directions of a tensor; masks go by the weights that the program came with."""
        tensor, base = self.program.tensors[entry.tensor], self._weights[entry.tensor].reshape(-1)
        guided = self.plan is not None and self.plan.guide is not None
        return step.Shape(
            kept(entry.mask, self.plan.seed, entry.tensor, tensor, base)
            if entry.mask and self.plan
            else None,
            np.zeros(tensor.elements, dtype=np.int64) if guided else None,
        )

    def _moved(self, step_number: int, moves: Sequence[Move]) -> dict[int, Int]:
        weights = dict(self._weights)
        for entry in self._entries if moves else ():
            tensor, w = self.program.tensors[entry.tensor], self._long(entry)
            moved = step.perturb(self.plan, entry, tensor, w, step_number, moves, self._shapes[entry.tensor])
            weights[entry.tensor] = moved.reshape(tensor.shape)
        return weights

    def _long(self, entry: Trainable) -> Int:
        """A trainable tensor, flat, with its fraction bits if it has any."""
        w, fraction = self._weights[entry.tensor].reshape(-1), self._fractions.get(entry.tensor)
        return w if fraction is None else fractions.long_number(w, fraction, entry.fraction_bits)

    def votes(self, losses: Sequence[int]) -> tuple[int, ...]:
        """The votes of a step; its scale moves."""
        kind = self.plan.votes if self.plan else "sign"
        found, self.vote_scale = votes_of(kind, losses, self.vote_scale)
        return found

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
            w, shape = self._long(entry), self._shapes[entry.tensor]
            if held:
                moved = step.update_together(self.plan, entry, tensor, w, step_number, held, shape)
            else:
                moved = step.update(
                    self.plan,
                    entry,
                    tensor,
                    w,
                    velocity,
                    step_number,
                    votes,
                    shape,
                    self._squares.get(entry.tensor),
                )
            self._put(entry, moved)
        for entry, g in zip(self._tail, self._tail_gradients(), strict=True):
            tensor = self.program.tensors[entry.tensor]
            self._put(
                entry, step.update_by_gradient(self.plan, entry, tensor, self._long(entry), g, step_number)
            )
        self._forget()

    def _tail_gradients(self) -> list[Int]:
        """Of each tensor of the tail, what takes the place of the sum of votes."""
        count = self.plan.tail.count if self.plan and self.plan.tail else 0
        is_bias = [self.program.tensors[entry.tensor].dtype == "s32" for entry in self._tail]
        before, last = is_bias[: len(is_bias) - count], is_bias[len(is_bias) - count :]
        found: list[Int] = []
        if before:
            of_weight, of_bias = before_last.gradients(self._before)
            found += [of_bias if bias else of_weight for bias in before]
        if last:
            of_weight, of_bias = gradients(self._sums, moves_weight=False in last, moves_bias=True in last)
            found += [of_bias if bias else of_weight for bias in last]
        return found

    def _forget(self) -> None:
        self._sums, self._before = self._no_sums(), self._no_sums_before()

    def _put(self, entry: Trainable, moved: Int) -> None:
        """A trainable tensor's new integers, long numbers where it has fraction bits."""
        if entry.fraction_bits:
            moved, self._fractions[entry.tensor] = fractions.split(moved, entry.fraction_bits)
        self._weights[entry.tensor] = moved.reshape(self.program.tensors[entry.tensor].shape)

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """Integer logits, shape (n, classes)."""
        return (logits(self.program, self._weights, batch.x).astype(np.int32),)

    def snapshot(self) -> Snapshot:
        """The weights section, and the state as the plan lays it out. What the tail has gathered is no part of it: a
        step leaves nothing there.
        """
        held = {
            "momentum": b"".join(v.astype("<i2").tobytes() for v in self._velocity.values()),
            "vote scale": self.vote_scale.to_bytes(8, "little"),
            "fractions": b"".join(
                fractions.pack(self._fractions[entry.tensor], entry.fraction_bits)
                for entry in (*self._entries, *self._tail)
                if entry.fraction_bits
            ),
            "held votes": np.array(self._held, dtype=np.int8).tobytes(),
            "tail": b"",
            "curvature": b"",
            "squares": b"".join(s.astype("<u4").tobytes() for s in self._squares.values()),
            "guide": b"".join(
                shape.guide.astype(np.int8).tobytes()
                for shape in self._shapes.values()
                if shape.guide is not None
            ),
        }
        state = bytearray(self.plan.state_bytes if self.plan else 0)
        for part in self.plan.state if self.plan else ():
            state[part.first : part.first + part.bytes] = held[part.kind].ljust(part.bytes, b"\0")
        return Snapshot(pack_all(self.program, self._weights), bytes(state))

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back."""
        self._weights = unpack_all(self.program, snapshot.weights)
        self._read_state(snapshot.state)

    def _read_state(self, state: bytes) -> None:
        """Take the state as a snapshot has it; none stands for zeros."""
        self._forget()
        if self.plan is None:
            return
        state = state or bytes(self.plan.state_bytes)
        first = {part.kind: part.first for part in self.plan.state}
        at = first.get("fractions", 0)
        if "vote scale" in first:
            self.vote_scale = int.from_bytes(state[first["vote scale"] :][:8], "little")
        if "held votes" in first:
            m, count = self.plan.directions, self.plan.accumulate
            held = np.frombuffer(state, np.int8, count * m, first["held votes"]).reshape(count, m)
            self._held = [tuple(votes) for votes in held.tolist()]
        for index, entry in enumerate((*self._entries, *self._tail)):
            size = self.program.tensors[entry.tensor].elements
            if "momentum" in first and entry in self._entries:
                begin = first["momentum"] + 2 * entry.first_element
                velocity = np.frombuffer(state, "<i2", size, begin)
                self._velocity[entry.tensor] = velocity.astype(np.int64)
            if "squares" in first and entry in self._entries:
                squares = np.frombuffer(state, "<u4", size, first["squares"] + 4 * entry.first_element)
                self._squares[entry.tensor] = squares.astype(np.int64)
            guide = self._shapes[entry.tensor].guide if entry in self._entries else None
            if guide is not None:
                guide[:] = np.frombuffer(state, np.int8, size, first["guide"] + entry.first_element)
            if entry.fraction_bits:
                end = at + fraction_bytes(self.plan, index)
                self._fractions[entry.tensor] = fractions.unpack(state[at:end], entry.fraction_bits, size)
                at = end
