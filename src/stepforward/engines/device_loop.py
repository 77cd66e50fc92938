"""The core's own training loop, as firmware runs it: one sample at a time, votes into a journal, then the update."""

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stepforward.core.aligned import aligned_bytes
from stepforward.core.bindings import DEVICE_ROWS, SINK, JournalHandle, Scratch, Trainer, check, library
from stepforward.engines.core import open_plan, open_program
from stepforward.engines.protocol import Batch, Snapshot
from stepforward.engines.weights import WeightStore
from stepforward.journal import STEPS_PER_RECORD, settings_text
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.program.weights import activation_type


class DeviceLoop:
    """`sf_train_step` with a journal, in the memory a device needs.

    Args:
        program: what to train.
        plan: its training plan.
        settings: the journal's settings; no journal is kept if None.
        sink: receives the journal's bytes, piece by piece.

    Raises:
        StepforwardError: the core refuses the program or the plan.
    """

    def __init__(
        self,
        program: Program,
        plan: TrainingPlan,
        settings: dict | None = None,
        sink: Callable[[bytes], None] = lambda piece: None,
    ):
        self.plan = plan
        self._core = library()
        self._program, self._program_file = open_program(program)
        self._input_type = activation_type(program.tensors[program.input])
        self._plan, self._plan_file = open_plan(self._program, plan)
        self._weights = WeightStore(program, self._program, self._program_file, plan, self._plan)
        self._state = aligned_bytes(plan.state_bytes)
        self._memory = aligned_bytes(self._core.sf_scratch_bytes(self._program, 1, DEVICE_ROWS))
        self._journal = JournalHandle() if settings is not None else None
        if settings is not None:
            self._open_journal(settings, sink)
        self._trainer = Trainer(
            ctypes.pointer(self._program),
            ctypes.pointer(self._plan),
            self._weights.buffer.ctypes.data,
            self._state.ctypes.data,
            Scratch(self._memory.ctypes.data, self._memory.size, 1, DEVICE_ROWS),
            ctypes.pointer(self._journal) if self._journal is not None else None,
        )

    def _open_journal(self, settings: dict, sink: Callable[[bytes], None]) -> None:
        def receive(_context: int, piece: int, count: int) -> int:
            sink(ctypes.string_at(piece, count))
            return 0

        self._sink = SINK(receive)  # the core keeps the pointer
        text = settings_text(settings)
        size = self._core.sf_journal_buffer_bytes(self.plan.directions, STEPS_PER_RECORD)
        self._buffer = aligned_bytes(size)
        status = self._core.sf_journal_open(
            *(self._journal, self.plan.directions, STEPS_PER_RECORD, self._buffer.ctypes.data),
            *(text, len(text), self._sink, None),
        )
        check(status, "opening the journal")

    def step(self, batch: Batch) -> tuple[int, ...]:
        """One step on the samples of a batch; returns its votes."""
        x = np.ascontiguousarray(batch.x, dtype=self._input_type)
        y = np.ascontiguousarray(batch.y, dtype=np.int32)
        status = self._core.sf_train_step(self._trainer, x.ctypes.data, y.ctypes.data, len(x))
        check(status, "taking a step")
        return tuple(self._trainer.votes[: self.plan.directions])

    def outputs(self, batch: Batch) -> tuple[NDArray[np.int32], ...]:
        """Integer logits, shape (n, classes), in the memory of a device that only runs the network."""
        x = np.ascontiguousarray(batch.x, dtype=self._input_type)
        memory = aligned_bytes(self._core.sf_inference_bytes(self._program, 1))
        scratch = Scratch(memory.ctypes.data, memory.size, 1, DEVICE_ROWS)
        result = np.empty((len(x), self._program.classes), dtype=np.int32)
        status = self._core.sf_logits(
            *(self._program, self._plan, self._weights.buffer.ctypes.data, scratch),
            *(x.ctypes.data, len(x), result.ctypes.data),
        )
        check(status, "computing logits")
        return (result,)

    def evaluation(self, correct: int, loss: int) -> None:
        """Record a validation in the journal."""
        check(self._core.sf_journal_evaluation(self._journal, correct, loss), "writing the journal")

    def tail(self) -> None:
        """Record the present parameters of an exact tail, those that the end will say are kept."""
        status = self._core.sf_journal_tail(
            *(self._journal, self._program, self._plan),
            *(self._weights.buffer.ctypes.data, self._state.ctypes.data, self._trainer.step),
        )
        check(status, "writing the journal")

    def end(self, kept: int, reason: int = 0) -> None:
        """Record the end of the run: which step's weights were kept, and why it ended."""
        check(self._core.sf_journal_end(self._journal, kept, reason), "writing the journal")

    def snapshot(self) -> Snapshot:
        """A copy of the weights section and the state."""
        return Snapshot(self._weights.snapshot(), self._state.tobytes())
