"""Programs and plans from strangers: damaged ones are refused by name, and none can make the core leave its buffers.

The runs below execute whatever the core accepts; the C tests do the same under the address sanitizer.
"""

import ctypes
import struct
import zlib

import numpy as np
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st

from stepforward.core.bindings import PlanHandle, Probe, ProgramHandle, Scratch, library
from stepforward.engines.core import aligned_bytes
from stepforward.program.fileformat import to_bytes
from stepforward.program.training_plan import StepSettings, plan_training

PROGRAM = small.small_program(per_channel=True)
SFP = to_bytes(PROGRAM)
SFT = plan_training(PROGRAM, range(8), StepSettings(9, directions=2, momentum=0.5)).to_bytes()
LARGEST_SCRATCH = 1 << 24


def aligned(content):
    buffer = aligned_bytes(len(content))
    buffer[:] = np.frombuffer(content, np.uint8)
    return buffer


def with_checksums(content):
    """The same file with every checksum made right again, so that the checks behind them are reached."""
    content = bytearray(content)
    weights, weight_bytes, metadata, metadata_bytes = struct.unpack_from("<4I", content, 48)
    parts = (content[16:weights], content[weights:][:weight_bytes], content[metadata:][:metadata_bytes])
    for place, part in zip((16, 20), parts[1:], strict=True):
        struct.pack_into("<I", content, place, zlib.crc32(part))
    weights = max(16, min(weights, len(content)))
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:weights]))
    return bytes(content)


def plan_with_checksum(content):
    content = bytearray(content)
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:]))
    return bytes(content)


def run(sfp, sft):
    """Open both files and, if the core accepts them, run a loss and an update."""
    core, program, plan = library(), ProgramHandle(), PlanHandle()
    file = aligned(sfp)
    status = core.sf_program_open(program, file.ctypes.data, file.size)
    if status:
        return core.sf_status_text(status).decode()
    size = -(-core.sf_scratch_bytes(program, 2, 4) // 64) * 64
    if size == 0 or size > LARGEST_SCRATCH or program.input_bytes > LARGEST_SCRATCH:
        return "too large to run here"
    plan_file = aligned(sft)
    status = core.sf_plan_open(plan, program, plan_file.ctypes.data, plan_file.size)
    memory, weights = aligned_bytes(size), aligned_bytes(max(4, program.weights_bytes))
    weights[:] = 0x7F
    x, y = aligned_bytes(2 * program.input_bytes), np.zeros(2, np.int32)
    scratch, losses = Scratch(memory.ctypes.data, memory.size, 2, 4), (ctypes.c_int64 * 1)()
    probe = (Probe * 1)(Probe(0, 0, 0 if status else 1))
    plan_or_none = None if status else plan
    assert not core.sf_losses_threaded(
        *(
            program,
            plan_or_none,
            weights.ctypes.data,
            scratch,
            None,
            None,
            x.ctypes.data,
            y.ctypes.data,
            2,
            probe,
            1,
            losses,
        )
    )
    if status:
        return core.sf_status_text(status).decode()
    momentum = np.zeros(plan.momentum_elements + 1, np.int16)
    votes = (ctypes.c_int8 * 255)(*[1] * 255)
    core.sf_update(program, plan, weights.ctypes.data, momentum.ctypes.data, 0, votes)
    return "ran"


def test_untouched_files_run():
    assert run(SFP, SFT) == "ran"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SFP) - 1), st.integers(0, 255)), min_size=1, max_size=3),
    st.integers(0, 4),
)
def test_flipped_bytes_never_crash_the_core(changes, cut):
    content = bytearray(SFP)
    for place, value in changes:
        content[place] = value
    content = with_checksums(content)
    run(content[: len(content) - cut], SFT)


words = st.sampled_from([0, 1, 2, 3, 255, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 2, 2**30])


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(4, struct.unpack_from("<I", SFP, 48)[0] // 4 - 1), words),
        min_size=1,
        max_size=2,
    )
)
def test_hostile_words_never_crash_the_core(changes):
    content = bytearray(SFP)
    for place, value in changes:
        struct.pack_into("<I", content, 4 * place, value)
    run(with_checksums(content), SFT)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, len(SFT) // 4 - 1), words), min_size=1, max_size=2), st.integers(0, 80)
)
def test_hostile_plans_never_crash_the_core(changes, cut):
    content = bytearray(SFT)
    for place, value in changes:
        struct.pack_into("<I", content, 4 * place, value)
    run(SFP, plan_with_checksum(content)[: len(content) - cut])


@pytest.mark.parametrize(
    "place, value, message",
    [
        (0, b"ELF1", "not a file of this kind"),
        (4, struct.pack("<I", 2), "version"),
        (8, struct.pack("<I", len(SFP) + 1), "truncated"),
        (12, b"\0\0\0\0", "checksum"),
    ],
)
def test_what_a_damaged_file_is_called(place, value, message):
    assert message in run(SFP[:place] + value + SFP[place + len(value) :], SFT)


@pytest.mark.parametrize("kind", [-1, 0, 12, 255, 2**31 - 1])
def test_an_unknown_kind_of_operator_is_refused(kind):
    first = struct.unpack_from("<I", SFP, 32)[0]
    content = bytearray(SFP)
    struct.pack_into("<i", content, first, kind)
    assert run(with_checksums(content), SFT) == "an operator record does not fit its tensors"


@pytest.mark.parametrize("size", [0, 3, 50, 95, 96, len(SFP) // 2, len(SFP) - 1])
def test_a_truncated_file_is_called_so(size):
    assert run(SFP[:size], SFT) in ("the file is truncated", "not a file of this kind")
