"""Weights as the core takes them: the trained tensors in a buffer, the others where the program's file has them."""

import numpy as np
from numpy.typing import NDArray

from stepforward.core.aligned import aligned_bytes
from stepforward.core.bindings import PlanHandle, ProgramHandle
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program, Tensor


class WeightStore:
    """The weights of one engine.

    Args:
        program: what they belong to.
        handle, file: the core's handle of the program, and its file, which the engine owns.
        plan, plan_handle: what is trained; with None nothing is, and the core reads the file alone.

    Attributes:
        buffer: what the core's calls take as `weights`.
    """

    def __init__(
        self,
        program: Program,
        handle: ProgramHandle,
        file: NDArray[np.uint8],
        plan: TrainingPlan | None,
        plan_handle: PlanHandle | None,
    ):
        first = handle.weights_offset
        self._section = file[first : first + handle.weights_bytes]
        self.buffer = self._section if plan_handle is None else aligned_bytes(plan_handle.weights_bytes)
        self._places: list[tuple[slice, slice]] = []  # in the section, in the buffer
        at = 0
        for entry in plan.trainable if plan else ():
            tensor = program.tensors[entry.tensor]
            there, here = (slice(begin, begin + tensor.bytes) for begin in (tensor.offset, at))
            self._places.append((there, here))
            at += moving_bytes(tensor)
        self.restore(program.weights)

    def snapshot(self) -> bytes:
        """The whole weights section."""
        section = self._section.copy()
        for there, here in self._places:
            section[there] = self.buffer[here]
        return section.tobytes()

    def restore(self, section: bytes) -> None:
        """Take every weight from a whole weights section, the frozen ones too.

        Trained tensors stay in the file as they were at first: masks go by them.
        """
        given, first = np.frombuffer(section, dtype=np.uint8), self._section.copy()
        self._section[:] = given
        for there, here in self._places:
            self.buffer[here] = given[there]
            self._section[there] = first[there]


def moving_bytes(tensor: Tensor) -> int:
    """What a tensor takes in a buffer of trained ones, each of which begins at a multiple of 4 (`sfi_moving_bytes`)."""
    return -(-tensor.bytes // 4) * 4
