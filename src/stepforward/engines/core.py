"""The C core as an engine: exact like the reference, threaded, and nothing allocated after it is made."""

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.directions import ASCENT
from stepforward.arithmetic.limits import CURVED_SAMPLES
from stepforward.core.aligned import aligned_bytes
from stepforward.core.bindings import (
    BAD_LABEL,
    DEVICE_ROWS,
    Packs,
    PlanHandle,
    ProgramHandle,
    Scratch,
    TrialRecord,
    check,
    library,
)
from stepforward.engines.host_memory import even_block, host_memory
from stepforward.engines.protocol import Batch, Move, Snapshot, Trial
from stepforward.engines.weights import WeightStore
from stepforward.errors import StepforwardError
from stepforward.plan import fileformat as plan_file
from stepforward.plan.matching import MatchingPlan
from stepforward.plan.model import TrainingPlan
from stepforward.plan.tail import most_rows_of
from stepforward.program.fileformat import to_bytes
from stepforward.program.model import Program
from stepforward.program.weights import activation_type

MAX_THREADS = 64


class CoreEngine:
    """Runs a program in C; see `engines.protocol.Engine` for the methods. Of calls from several threads, one
    runs at a time.

    Args:
        program: what to run.
        plan: training plan; without one only `outputs` and snapshots work.
        threads: worker threads; `default_threads()` if None. Results do not depend on it.
        block: samples run together per thread; chosen by the size of the activations if None. Results do not
            depend on it.
        memory: what to spend on speed, of `host_memory.CHOICES`. Results do not depend on it.

    Raises:
        StepforwardError: the core refuses the program or the plan.
    """

    def __init__(
        self,
        program: Program,
        plan: TrainingPlan | None = None,
        threads: int | None = None,
        block: int | None = None,
        memory: str = "fast",
    ):
        self.program, self.plan = program, plan
        self._threads = _count("threads", threads or default_threads(), MAX_THREADS)
        self._core = library()
        self._alone = threading.Lock()  # calls share the working memory
        self._crew_memory, self._crew = _open_crew(self, self._threads)
        self._handle, self._file = open_program(program)
        self._plan_handle: PlanHandle | None = None
        if plan is not None:
            self._plan_handle, self._plan_file = open_plan(self._handle, plan)
        planned = host_memory(
            self._handle, plan, memory, None if block is None else _count("block", block, 1 << 16)
        )
        self._block, self._row_tile = planned.block, planned.row_tile
        self._scratch = aligned_bytes(planned.slice_bytes * self._threads)
        self._scratches: dict[int, Scratch] = {}  # by block
        self._packed = aligned_bytes(planned.packs_bytes)
        self._packs = Packs(
            self._packed.ctypes.data, self._packed.size, planned.copies, planned.directions, 0, 0, 0
        )
        self._packs_or_none = self._packs if planned.copies else None
        self._weights = WeightStore(program, self._handle, self._file, plan, self._plan_handle)
        self._state = aligned_bytes(plan.state_bytes if plan else 0)
        self._addresses = self._weights.buffer.ctypes.data, self._state.ctypes.data

    def follow(self, plan: TrainingPlan) -> None:
        """Take further steps by another plan for the same tensors and state; both stay as they are.

        Raises:
            StepforwardError: the plan moves other tensors, or needs another state.
        """
        old = self.plan
        if old is None or (old.state, [e.tensor for e in old.trainable]) != (
            plan.state,
            [e.tensor for e in plan.trainable],
        ):
            raise StepforwardError(
                "this plan moves other tensors, or keeps another state, than the engine's",
                "make another engine",
            )
        with self._alone:
            self.plan = plan
            self._plan_handle, self._plan_file = open_plan(self._handle, plan)
            self._packs.filled = 0

    @property
    def scratch_bytes(self) -> int:
        """Bytes of working memory on this host, all threads together."""
        return self._scratch.size + self._packed.size

    def losses(self, step: int, batch: Batch, trials: Sequence[Trial], gather: bool = False) -> list[int]:
        """Loss of each trial, summed over its rows, as exact integers.

        Raises:
            StepforwardError: samples or labels have a wrong shape, type or label; there is no plan; a trial has
                more than one move, or one of another amount than +1, -1 and 0; more samples are gathered than the
                plan has room for.
        """
        x = self._inputs(batch.x)
        y = self._labels(batch.y, len(x))
        if self.plan is None:
            raise StepforwardError(
                "this engine has no training plan, which says what the loss is and how weights move",
                "make it with CoreEngine(program, plan)",
            )
        records = (TrialRecord * len(trials))(*(TrialRecord(*_record(trial, len(x))) for trial in trials))
        sums = (ctypes.c_int64 * len(trials))()
        rows = sum(record.rows for record in records)
        if gather:
            self._check_room(rows)
        with self._alone:
            status = (self._core.sf_gather_threaded if gather else self._core.sf_losses_threaded)(
                *(self._handle, self._plan_handle, *self._addresses, self.scratch_for(rows)),
                *(self._crew, self._packs_or_none, _address(x), _address(y), len(x)),
                *(step, records, len(trials), sums),
            )
        if status == BAD_LABEL:
            raise self._bad_label(y)
        check(status, "computing losses")
        return list(sums)

    def curved(self, step: int, batch: Batch) -> tuple[list[int], tuple[int, ...]]:
        """Losses of the weights as they are and along each direction, and the curved votes of a step.

        Raises:
            StepforwardError: samples or labels have a wrong shape, type or label; the plan's votes are others; there
                are more samples than its sums, or those of its tail, have room for.
        """
        x = self._inputs(batch.x)
        y = self._labels(batch.y, len(x))
        if self.plan is None or self.plan.curve is None:
            raise StepforwardError("this plan has no curved votes", "make one with votes = curved")
        count = 1 + self.plan.directions
        if len(x) > CURVED_SAMPLES:
            raise StepforwardError(
                f"a step of curved votes takes at most {CURVED_SAMPLES} samples, not {len(x)}",
                "use a smaller batch",
            )
        self._check_room(count * len(x))
        sums, found = (ctypes.c_int64 * count)(), (ctypes.c_int8 * self.plan.directions)()
        logits = np.empty(count * len(x) * self._handle.classes, dtype=np.int32)
        with self._alone:
            status = self._core.sf_curve_threaded(
                *(self._handle, self._plan_handle, *self._addresses, self.scratch_for(count * len(x))),
                *(self._crew, self._packs_or_none, _address(x), _address(y), len(x)),
                *(step, sums, logits.ctypes.data, found),
            )
        if status == BAD_LABEL:
            raise self._bad_label(y)
        check(status, "voting")
        return list(sums), tuple(found)

    def _check_room(self, rows: int) -> None:
        tail = self.plan.tail if self.plan else None
        if tail and rows > (most := most_rows_of(self.program, tail)):
            raise StepforwardError(
                f"a step of this plan gathers at most {most} samples, not {rows}",
                "make a plan for this batch size",
            )

    def votes(self, losses: Sequence[int]) -> tuple[int, ...]:
        """The votes of a step from the losses on either side of its directions; their scale moves.

        Raises:
            StepforwardError: no plan, or another number of losses.
        """
        if self.plan is None or len(losses) != 2 * self.plan.directions:
            raise StepforwardError(
                f"{len(losses)} losses are no step of this plan", "give the two losses of each direction"
            )
        found = (ctypes.c_int8 * self.plan.directions)()
        with self._alone:
            status = self._core.sf_votes(
                self._plan_handle, self._addresses[1], (ctypes.c_int64 * len(losses))(*losses), found
            )
        check(status, "voting")
        return tuple(found)

    @property
    def vote_scale(self) -> int:
        """See `engines.protocol.Engine`."""
        return int.from_bytes(self._scale_bytes.tobytes(), "little")

    @vote_scale.setter
    def vote_scale(self, value: int) -> None:
        self._scale_bytes[:] = np.frombuffer(value.to_bytes(self._scale_bytes.size, "little"), np.uint8)

    @property
    def _scale_bytes(self) -> NDArray[np.uint8]:
        parts = self.plan.state if self.plan else ()
        first = next((part.first for part in parts if part.kind == "vote scale"), None)
        return self._state[:0] if first is None else self._state[first : first + 8]

    def update(self, step: int, votes: Sequence[int]) -> None:
        """Move the trainable weights by one step along the directions of `step`.

        Raises:
            StepforwardError: no plan, another number of votes than directions, a vote that is not an s8, or a step
                after the last one of the plan.
        """
        if self.plan is None:
            raise StepforwardError(
                "this engine has no training plan to update by", "make it with CoreEngine(program, plan)"
            )
        if len(votes) != self.plan.directions or not all(-128 <= vote <= 127 for vote in votes):
            raise StepforwardError(
                f"a step of this plan takes {self.plan.directions} votes from -128 to 127, not {list(votes)}",
                "give one vote per direction",
            )
        if not 0 <= step < self.plan.steps:
            raise StepforwardError(
                f"step {step} is outside the plan's {self.plan.steps} steps", "make a plan with more steps"
            )
        with self._alone:
            status = self._core.sf_update_threaded(
                *(self._handle, self._plan_handle, *self._addresses),
                *(step, (ctypes.c_int8 * len(votes))(*votes), self._crew, self._packs_or_none),
            )
        check(status, "updating weights")

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """Integer logits, shape (n, classes).

        Raises:
            StepforwardError: the samples have a wrong shape or type.
        """
        x = self._inputs(batch.x)
        result = np.empty((len(x), self._handle.classes), dtype=np.int32)
        with self._alone:
            status = self._core.sf_logits_threaded(
                *(self._handle, self._plan_handle, self._addresses[0], self.scratch_for(len(x))),
                *(self._crew, self._packs_or_none, _address(x), len(x), _address(result)),
            )
        check(status, "computing logits")
        return (result,)

    def snapshot(self) -> Snapshot:
        """A copy of the weights section and the state."""
        with self._alone:
            return Snapshot(self._weights.snapshot(), self._state.tobytes())

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back, weights and state.

        Raises:
            StepforwardError: the snapshot has another size than the program's weights, or its plan's state.
        """
        sizes = {"weights": self._handle.weights_bytes, "state": self._state.nbytes}
        for (kind, wanted), given in zip(sizes.items(), snapshot, strict=True):
            if len(given) != wanted and not (kind == "state" and not given):
                raise StepforwardError(
                    f"a snapshot of {len(given)} bytes does not fit the program's {wanted} bytes of {kind}",
                    "restore a snapshot of the same program and plan",
                )
        with self._alone:
            self._weights.restore(snapshot.weights)
            self._state[:] = np.frombuffer(snapshot.state, dtype=np.uint8) if snapshot.state else 0
            self._packs.filled = 0

    def scratch_for(self, n: int) -> Scratch:
        """The working memory as the core takes it, in blocks that share n samples evenly among the threads."""
        block = even_block(self._block, n, self._threads)
        if block not in self._scratches:
            scratch = Scratch(self._scratch.ctypes.data, self._scratch.size, block, self._row_tile)
            self._scratches[block] = scratch
        return self._scratches[block]

    def _inputs(self, x: NDArray[np.integer]) -> NDArray[np.integer]:
        tensor = self.program.tensors[self.program.input]
        shape, wanted = tensor.shape, activation_type(tensor)
        x = np.asarray(x)
        if x.dtype != wanted or x.shape[1:] != shape or x.ndim != len(shape) + 1:
            raise StepforwardError(
                f"the program takes {wanted} samples of shape (n, {', '.join(map(str, shape))}), "
                f"not {x.dtype} of shape {x.shape}",
                "bring the samples into the program's input format first",
            )
        return np.ascontiguousarray(x)

    def _labels(self, y: NDArray[np.int32], n: int) -> NDArray[np.int32]:
        y = np.asarray(y)
        if y.shape != (n,) or y.dtype.kind not in "iu":
            raise StepforwardError(
                f"{n} samples need {n} integer labels, not {y.dtype} of shape {y.shape}",
                "give one label per sample",
            )
        # a bit above the lower 31 belongs to a number that the core would not see; it checks the others
        if y.dtype != np.int32 and not 0 <= int(np.bitwise_or.reduce(y)) < 2**31:
            raise self._bad_label(y)
        return np.ascontiguousarray(y, dtype=np.int32)

    def _bad_label(self, y) -> StepforwardError:
        return StepforwardError(
            f"labels go from {y.min()} to {y.max()}, but the program has classes 0 to {self._handle.classes - 1}",
            "use the class numbers of the model",
        )


def _record(trial: Trial, samples: int) -> tuple[int, ...]:
    """The numbers of `sf_trial`."""
    move, *others = trial.moves or (Move(0, 0),)
    ascent = 0
    if len(others) == 1 and others[0].direction == ASCENT and abs(others[0].amount) <= 127:
        ascent = others.pop().amount
    first, _, stride = trial.rows.indices(samples)
    if others or move.amount not in (-1, 0, 1):
        raise StepforwardError(
            f"a trial with the moves {', '.join(map(str, trial.moves))}",
            "the C core moves the weights along one direction by -1, 0 or +1, and uphill; the reference does any",
        )
    if stride < 1:
        raise StepforwardError(f"a trial on the rows {trial.rows}", "give rows in rising order")
    return *move, ascent, first, stride, len(range(samples)[trial.rows])


def default_threads() -> int:
    """One thread for each processor this process may use, as far as a crew goes."""
    return min(len(os.sched_getaffinity(0)), MAX_THREADS)


def _open_crew(engine: CoreEngine, threads: int) -> tuple[NDArray[np.uint8] | None, int | None]:
    """Memory and address of threads that wait for the engine's calls and end with it; None for the calling thread
    alone. The engine keeps the memory: at exit crews are closed while daemon threads may still use their engines."""
    if threads == 1:
        return None, None
    memory = aligned_bytes(library().sf_crew_bytes())
    check(library().sf_crew_open(memory.ctypes.data, memory.size, threads), "starting threads")
    weakref.finalize(engine, lambda: library().sf_crew_close(memory.ctypes.data))
    return memory, memory.ctypes.data


def _address(array: NDArray) -> int:
    """`array.ctypes.data` in half the time: these calls take tens of microseconds."""
    if array.size and array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    return array.ctypes.data


def _aligned_copy(content: bytes) -> NDArray[np.uint8]:
    buffer = aligned_bytes(len(content))
    buffer[:] = np.frombuffer(content, dtype=np.uint8)
    return buffer


def open_program(program: Program) -> tuple[ProgramHandle, NDArray[np.uint8]]:
    """The core's handle of a program, and the file bytes that must outlive it.

    Raises:
        StepforwardError: the core refuses the program.
    """
    file, handle = _aligned_copy(to_bytes(program, metadata=False)), ProgramHandle()
    check(library().sf_program_open(handle, file.ctypes.data, file.size), "opening the program")
    return handle, file


def open_plan(
    handle: ProgramHandle, plan: TrainingPlan | MatchingPlan
) -> tuple[PlanHandle, NDArray[np.uint8]]:
    """The core's handle of a training plan, and the file bytes that must outlive it.

    Raises:
        StepforwardError: the plan does not belong to the program.
    """
    file, plan_handle = _aligned_copy(plan_file.to_bytes(plan)), PlanHandle()
    check(
        library().sf_plan_open(plan_handle, handle, file.ctypes.data, file.size), "opening the training plan"
    )
    return plan_handle, file


def _count(name: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise StepforwardError(f"{name} = {value}", f"give a number from 1 to {most}")
    return value


def device_scratch_bytes(program: Program) -> int:
    """Working memory of a device that runs one sample at a time: `sf_scratch_bytes(program, 1, SF_DEVICE_ROWS)`."""
    handle, _file = open_program(program)
    return library().sf_scratch_bytes(handle, 1, DEVICE_ROWS)


def device_inference_bytes(program: Program) -> int:
    """The same for a device that only runs the network: without room to stage weights that it can read in place."""
    handle, _file = open_program(program)
    return library().sf_inference_bytes(handle, 1)
