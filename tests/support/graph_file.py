"""Random networks as the file that `tests/core/graphs.c` trains, and what it has to print."""

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from random_networks import STEPS, Case
from trained import trained_bytes

from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan import fileformat as plan_file
from stepforward.program import fileformat


def graph_file(cases: Sequence[Case]) -> bytes:
    return b"".join(map(_filled, [struct.pack("<I", len(cases)), *_pieces(cases)]))


def _pieces(cases: Sequence[Case]) -> Iterable[bytes]:
    for case in cases:
        program, plan = fileformat.to_bytes(case.program), plan_file.to_bytes(case.plan)
        yield struct.pack("<4I", len(program), len(plan), len(case.y), STEPS)
        yield from (program, plan, case.x.tobytes(), case.y.astype("<i4").tobytes())


def _filled(piece: bytes) -> bytes:
    return piece + bytes(-len(piece) % 16)


def expected(cases: Sequence[Case], ways: Sequence[str]) -> list[str]:
    """The lines, with the definition's numbers."""
    return [
        " ".join(map(str, ["graph", number, way, *numbers]))
        for number, numbers in enumerate(map(_numbers, cases))
        for way in ways
    ] + ["done"]


def _numbers(case: Case) -> list[int]:
    engine, batch, votes = ReferenceEngine(case.program, case.plan), Batch.of(case.x, case.y), 0
    before, loss = _checked(engine, case), engine.losses(0, batch, [PLAIN])[0]
    for step in qzo_ff(engine, lambda _: batch, range(STEPS), case.plan.directions, case.plan.share_batch):
        votes = zlib.crc32(np.asarray(step.votes, np.int8).tobytes(), votes)
    weights = trained_bytes(case.program, case.plan, engine.snapshot().weights)
    return [before, loss, votes, zlib.crc32(weights), _checked(engine, case)]


def _checked(engine, case: Case) -> int:
    return zlib.crc32(logits_of(engine, case.x).astype("<i4").tobytes())
