"""A network that matches statistics while it is used, in the C core: a device's way, one sample after the other."""

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stepforward.core.aligned import aligned_bytes
from stepforward.core.bindings import DEVICE_ROWS, SINK, JournalHandle, Scratch, check, library
from stepforward.engines.core import open_plan, open_program
from stepforward.engines.protocol import Batch
from stepforward.errors import StepforwardError
from stepforward.journal import settings_text
from stepforward.plan.matching import MatchingPlan
from stepforward.program.model import Program
from stepforward.program.weights import activation_type


class MatchingEngine:
    """`sf_match_logits` and `sf_match_refresh` in the memory a device needs.

    Args:
        program: the base.
        plan: its plan (`matching.plan.for_matching`).

    Raises:
        StepforwardError: the core refuses the program or the plan.
    """

    def __init__(self, program: Program, plan: MatchingPlan):
        self.program, self.plan = program, plan
        self._core = library()
        self._program, self._program_file = open_program(program)
        self._input_type = activation_type(program.tensors[program.input])
        self._plan, self._plan_file = open_plan(self._program, plan)
        self._state = aligned_bytes(plan.state_bytes)
        self._memory = aligned_bytes(self._core.sf_match_bytes(self._program))
        self._scratch = Scratch(self._memory.ctypes.data, self._memory.size, 1, DEVICE_ROWS)

    @property
    def scratch_bytes(self) -> int:
        """Working memory of a device: `sf_match_bytes(program)`."""
        return self._memory.size

    @property
    def state(self) -> bytes:
        """Samples, sums and constants; docs/file-formats.md, section 2, says where."""
        return self._state.tobytes()

    @state.setter
    def state(self, content: bytes) -> None:
        if len(content) != len(self._state):
            raise StepforwardError(
                f"a state of {len(content)} bytes does not fit this plan's {len(self._state)}",
                "restore the state of the same plan",
            )
        self._state[:] = np.frombuffer(content, dtype=np.uint8)

    @property
    def samples(self) -> int:
        """How many there are in the sums."""
        return int.from_bytes(self.state[:4], "little")

    def reset(self) -> None:
        """Forget everything that was seen: the constants are the base's."""
        self._state[:] = 0

    def outputs(self, batch: Batch, counted: bool = False) -> tuple[NDArray[np.int32], ...]:
        """Integer logits with the present constants, shape (n, classes).

        Args:
            batch: samples in the program's input format.
            counted: whether every sample adds to the sums.
        """
        x = np.ascontiguousarray(batch.x, dtype=self._input_type)
        result = np.empty((len(x), self._program.classes), dtype=np.int32)
        status = self._core.sf_match_logits(
            *(self._program, self._plan, self._state.ctypes.data, self._scratch),
            *(x.ctypes.data, len(x), counted, result.ctypes.data),
        )
        check(status, "computing logits")
        return (result,)

    def refresh(self) -> None:
        """The constants that the sums lead to become the present ones."""
        status = self._core.sf_match_refresh(self._program, self._plan, self._state.ctypes.data)
        check(status, "matching")

    def follow(self, x: NDArray[np.integer]) -> NDArray[np.int32]:
        """Logits of a stream, (n, classes): every sample is seen with what those before it led to, then counted."""
        found = []
        for sample in x:
            found.append(self.outputs(Batch.of(sample[None]), counted=True)[0])
            self.refresh()
        return np.concatenate(found) if found else np.empty((0, self._program.classes), np.int32)

    def snapshot(self, settings: dict, sink: Callable[[bytes], None]) -> None:
        """Write a journal with the present constants.

        Args:
            settings: of its header.
            sink: receives it, piece by piece.
        """

        def receive(_context: int, piece: int, count: int) -> int:
            sink(ctypes.string_at(piece, count))
            return 0

        journal, text, kept = JournalHandle(), settings_text(settings), SINK(receive)
        buffer = aligned_bytes(self._core.sf_journal_buffer_bytes(1, 1))
        status = self._core.sf_journal_open(journal, 1, 1, buffer.ctypes.data, text, len(text), kept, None)
        check(status, "opening the journal")
        state = self._state.ctypes.data
        check(
            self._core.sf_journal_matching(journal, self._program, self._plan, state), "writing the journal"
        )
        check(self._core.sf_journal_end(journal, 0, 0), "writing the journal")


def device_matching_bytes(program: Program) -> int:
    """Working memory of a device that runs one sample at a time and counts it: `sf_match_bytes(program)`."""
    handle, _file = open_program(program)
    return library().sf_match_bytes(handle)
