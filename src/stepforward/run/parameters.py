"""The last tensors of a plan as they are: what a journal holds of a tail that no vote moves, or of a head's start."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stepforward.engines.protocol import Engine, Snapshot
from stepforward.engines.weights import moving_bytes
from stepforward.errors import StepforwardError
from stepforward.plan.model import Trainable, TrainingPlan, fraction_bytes
from stepforward.program.model import Program
from stepforward.program.weights import unpack


class Stored(NamedTuple):
    """Parameters of an engine, to and from the bytes of a record (docs/file-formats.md, section 3)."""

    read: Callable[[], bytes]
    write: Callable[[bytes], None]
    """Raises StepforwardError where they are not those of this network."""


def stored(engine: Engine, plan: TrainingPlan, entries: tuple[Trainable, ...]) -> Stored:
    """The tensors of some entries, the last ones of a plan.

    They follow one another, each filled up with zeros to a multiple of four bytes; then their fraction bits, if they
    have any.
    """
    places, fractions = _places(engine.program, entries), _fractions(plan, len(entries))

    def read() -> bytes:
        weights, state = engine.snapshot()
        parts = (weights[place].ljust(size, b"\0") for place, size in places)
        return b"".join(parts) + state[fractions]

    def write(content: bytes) -> None:
        weights, state = (bytearray(part) for part in engine.snapshot())
        _check(len(content) == sum(size for _, size in places) + fractions.stop - fractions.start)
        at = 0
        for place, size in places:
            weights[place] = content[at : at + place.stop - place.start]
            at += size
        state[fractions] = content[at:]
        found = Snapshot(bytes(weights), bytes(state))
        for entry in entries:
            tensor = engine.program.tensors[entry.tensor]
            _check(bool((np.abs(unpack(tensor, found.weights)) <= tensor.q_max).all()))
        engine.restore(found)

    return Stored(read, write)


def _places(program: Program, entries: tuple[Trainable, ...]) -> list[tuple[slice, int]]:
    """Where each tensor lies in the weights section, and its bytes in a record."""
    tensors = [program.tensors[entry.tensor] for entry in entries]
    return [(slice(t.offset, t.offset + t.bytes), moving_bytes(t)) for t in tensors]


def _fractions(plan: TrainingPlan, count: int) -> slice:
    """Where in the state the fraction bits of the plan's last tensors lie."""
    end = sum(part.first + part.bytes for part in plan.state if part.kind == "fractions")
    indices = range(len(plan.trainable) - count, len(plan.trainable))
    return slice(end - sum(fraction_bytes(plan, index) for index in indices), end)


def _check(fits: bool) -> None:
    if not fits:
        raise StepforwardError(
            "the journal holds parameters that are not those of this network",
            "restore it from a copy, or start a new run",
        )
