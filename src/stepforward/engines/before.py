"""Samples sent through the operators before a cut."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.program.cut import after, before
from stepforward.program.model import Program

_TOGETHER = 1 << 22
"""Numbers that the core gives at once, of 32 bits each, before they are kept in 8."""


class Onward:
    """Samples that go on through programs: what lies before them is not run again.

    Args:
        x: in the programs' input format.
        threads: of the C core. Changes nothing.
    """

    def __init__(self, x: NDArray[np.integer], threads: int | None = None):
        self.x, self.threads = x, threads
        self._at = 0

    def to(self, program: Program, start: int) -> tuple[Program, NDArray[np.integer]]:
        """The rest of a program from an operator on, and the samples there.

        Args:
            program: what lies before as it will stay.
            start: where a program can be cut, or 0; not before the last that was asked for.
        """
        if start > self._at:
            rest = after(program, self._at) if self._at else program
            (self.x,), self._at = run_before(rest, start - self._at, [self.x], self.threads), start
        return (after(program, start) if start else program), self.x


def run_before(
    program: Program, position: int, parts: Iterable[NDArray[np.integer]], threads: int | None
) -> list[NDArray[np.int8]]:
    """What the samples of each part are where the operators before `position` end, shape (n, *shape of the activation
    there)."""
    first = before(program, position)
    engine, shape = CoreEngine(first, threads=threads), first.tensors[first.output].shape
    return [_outputs(engine, x, shape) for x in parts]


def _outputs(engine: CoreEngine, x: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.int8]:
    found = np.empty((len(x), *shape), dtype=np.int8)
    block = max(1, _TOGETHER // found[:1].size) if len(x) else 1
    for at in range(0, len(x), block):
        found[at : at + block] = logits_of(engine, x[at : at + block]).reshape(-1, *shape)
    return found
