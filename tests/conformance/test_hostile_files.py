"""Programs and plans from strangers: damaged ones are refused by name, and none can make the core leave its buffers.

The runs below execute whatever the core accepts; the C tests do the same under the address sanitizer.
"""

import collections
import ctypes
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import plain
from random_networks import Builder, examples

from stepforward.core.bindings import PlanHandle, ProgramHandle, Scratch, Trainer, TrialRecord, library
from stepforward.engines.core import aligned_bytes
from stepforward.matching.measure import references
from stepforward.matching.plan import for_matching
from stepforward.operators.table import BY_KIND, JOINS, OPERATORS
from stepforward.plan import fileformat as plan_file
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import to_bytes

PROGRAM = small.small_program(per_channel=True)
SFP = to_bytes(PROGRAM)
SFT = plan_file.to_bytes(plan_training(PROGRAM, range(8), plain(steps=9, directions=2, momentum=0.5)))
LARGEST_SCRATCH = 1 << 24


def aligned(content):
    buffer = aligned_bytes(len(content))
    buffer[:] = np.frombuffer(content, np.uint8)
    return buffer


def with_checksums(content):
    """The same file with every checksum made right again, so that the checks after them are reached."""
    content = bytearray(content)
    weights, weight_bytes, metadata, metadata_bytes = struct.unpack_from("<4I", content, 52)
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
    size = core.sf_thread_bytes(program, 2, 4)
    if size == 0 or size > LARGEST_SCRATCH or program.input_bytes > LARGEST_SCRATCH:
        return "too large to run here"
    plan_file = aligned(sft)
    status = core.sf_plan_open(plan, program, plan_file.ctypes.data, plan_file.size)
    memory, weights = aligned_bytes(size), aligned_bytes(max(4, program.weights_bytes))
    weights[:] = 0x7F
    x, y = aligned_bytes(2 * program.input_bytes), np.zeros(2, np.int32)
    scratch, losses = Scratch(memory.ctypes.data, memory.size, 2, 4), (ctypes.c_int64 * 1)()
    given = scratch, None, None, x.ctypes.data
    if status:
        logits = np.zeros((2, program.classes), np.int32)
        assert not core.sf_logits_threaded(program, None, weights.ctypes.data, *given, 2, logits.ctypes.data)
        return core.sf_status_text(status).decode()
    trial = TrialRecord(0, 1, 0, 1, 2)
    state = aligned_bytes(plan.state_bytes + 1)
    held = weights.ctypes.data, state.ctypes.data
    assert not core.sf_losses_threaded(program, plan, *held, *given, y.ctypes.data, 2, 0, trial, 1, losses)
    votes = (ctypes.c_int8 * 255)(*[1] * 255)
    core.sf_update(program, plan, *held, 0, votes)
    return "ran"


def test_untouched_files_run():
    assert run(SFP, SFT) == "ran"


@settings(max_examples=examples(300), deadline=None)
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


WORDS = [0, 1, 2, 3, 4, 5, 8, 255, 65536, 2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
words = st.sampled_from(WORDS)


def every_operator():
    """A program of all kinds."""
    net = Builder(np.random.default_rng(4))
    at = net.input((4, 5, 3))
    at = net.conv(at, "s16", 6, (3, 3), padding=(1, 1, 1, 1), groups=3)
    at = net.depthwise(at, "s8")
    joins = [join.kind for join in JOINS.values()]
    rows = ("softmax", "layer_norm", "matmul", "gru", "lstm", "rnn")
    for kind in (
        "pad",
        *joins,
        "concat",
        "max_pool",
        "lookup",
        *rows,
        "transpose",
        "average_pool",
        "reshape",
    ):
        at = net.between(at, kind)
    return plan_arena(net.program(net.dense(at, "s4", 5, last=True)))


def sections(sfp):
    """(first word, words of a record, number of records) of tensors, operators and constants."""
    tensors, count, ops, op_count, constants, _ = struct.unpack_from("<6I", sfp, 28)
    return (tensors // 4, (ops - tensors) // 4 // count, count), (
        ops // 4,
        (constants - ops) // 4 // op_count,
        op_count,
    )


def test_every_word_of_every_record_as_anything_never_crashes_the_core():
    program = every_operator()
    assert {op.kind for op in program.ops} == set(BY_KIND)
    sfp = to_bytes(program)
    sft = plan_file.to_bytes(
        plan_training(program, range(program.parameter_count), plain(steps=9, directions=2))
    )
    assert run(sfp, sft) == "ran"
    answers = collections.Counter()
    places = [range(4, 32), *(range(first, first + size * count) for first, size, count in sections(sfp))]
    for place in (place for some in places for place in some):
        old = struct.unpack_from("<I", sfp, 4 * place)[0]
        for value in {*WORDS, old + 1, old - 1, 2 * old, old ^ 0x100} - {old}:
            content = bytearray(sfp)
            struct.pack_into("<I", content, 4 * place, value % 2**32)
            answers[run(with_checksums(content), sft)] += 1
    assert len(answers) >= 6
    assert answers["an operator record does not fit its tensors"] > answers["ran"] / 10


def test_every_word_of_a_plan_as_anything_never_crashes_the_core():
    answers = collections.Counter()
    for place in range(4, len(SFT) // 4):
        old = struct.unpack_from("<I", SFT, 4 * place)[0]
        for value in {*WORDS, old + 1, old - 1} - {old}:
            content = bytearray(SFT)
            struct.pack_into("<I", content, 4 * place, value % 2**32)
            answers[run(SFP, plan_with_checksum(content))] += 1
    assert set(answers) == {
        "ran",
        "the training plan is not valid",
        "the training plan belongs to another program",
        "the file needs a feature or a section that this code does not know",
    }


@settings(max_examples=examples(500), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(4, struct.unpack_from("<I", SFP, 52)[0] // 4 - 1), words),
        min_size=1,
        max_size=2,
    )
)
def test_hostile_words_never_crash_the_core(changes):
    content = bytearray(SFP)
    for place, value in changes:
        struct.pack_into("<I", content, 4 * place, value)
    run(with_checksums(content), SFT)


@settings(max_examples=examples(300), deadline=None)
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
        (3, b"1", "version"),
        (4, struct.pack("<I", 3), "version"),
        (8, struct.pack("<I", len(SFP) + 1), "truncated"),
        (12, b"\0\0\0\0", "checksum"),
    ],
)
def test_what_a_damaged_file_is_called(place, value, message):
    assert message in run(SFP[:place] + value + SFP[place + len(value) :], SFT)


def test_an_operator_that_would_write_over_what_it_reads_is_refused():
    program = every_operator()
    for op in program.ops[1:]:
        tensors = list(program.tensors)
        tensors[op.output] = replace(tensors[op.output], offset=tensors[op.inputs[0]].offset)
        content = to_bytes(replace(program, tensors=tuple(tensors), arena_bytes=1 << 16))
        assert run(content, SFT) == "an operator record does not fit its tensors", op.kind


@pytest.mark.parametrize("kind", [-1, 0, len(OPERATORS) + 1, 255, 2**31 - 1])
def test_an_unknown_kind_of_operator_is_refused(kind):
    first = struct.unpack_from("<I", SFP, 36)[0]
    content = bytearray(SFP)
    struct.pack_into("<i", content, first, kind)
    assert run(with_checksums(content), SFT) == "an operator record does not fit its tensors"


@pytest.mark.parametrize("size", [0, 3, 50, 127, 128, len(SFP) // 2, len(SFP) - 1])
def test_a_truncated_file_is_called_so(size):
    assert run(SFP[:size], SFT) in ("the file is truncated", "not a file of this kind")


MATCHING = plan_file.to_bytes(for_matching(PROGRAM, references(PROGRAM, small.samples(PROGRAM, 32)[0])))


def run_matching(sft):
    """Open a plan that matches and, if the core accepts it, refresh it with no samples and follow three."""
    core, program, plan = library(), ProgramHandle(), PlanHandle()
    files = aligned(SFP), aligned(sft)
    assert not core.sf_program_open(program, files[0].ctypes.data, files[0].size)
    status = core.sf_plan_open(plan, program, files[1].ctypes.data, files[1].size)
    if status:
        return core.sf_status_text(status).decode()
    memory, x = aligned_bytes(core.sf_match_bytes(program)), aligned_bytes(3 * program.input_bytes)
    state, logits = aligned_bytes(plan.state_bytes), np.zeros((3, program.classes), np.int32)
    scratch, held = Scratch(memory.ctypes.data, memory.size, 1, 4), state.ctypes.data
    x[:] = 0x7F
    assert not core.sf_match_refresh(program, plan, held)
    for _ in range(3):
        assert not core.sf_match_logits(program, plan, held, scratch, x.ctypes.data, 3, 1, logits.ctypes.data)
        assert not core.sf_match_refresh(program, plan, held)
    return "ran"


def test_every_word_of_a_plan_that_matches_as_anything_never_crashes_the_core():
    assert run_matching(MATCHING) == "ran"
    answers = collections.Counter()
    for place in range(4, len(MATCHING) // 4):
        old = struct.unpack_from("<I", MATCHING, 4 * place)[0]
        for value in {*WORDS, old + 1, old - 1} - {old}:
            content = bytearray(MATCHING)
            struct.pack_into("<I", content, 4 * place, value % 2**32)
            answers[run_matching(plan_with_checksum(content))] += 1
    assert set(answers) == {
        "ran",
        "the training plan is not valid",
        "the training plan belongs to another program",
        "the file needs a feature or a section that this code does not know",
    }


def test_a_plan_that_matches_takes_no_steps_and_has_no_loss():
    core, program, plan = library(), ProgramHandle(), PlanHandle()
    files = aligned(SFP), aligned(MATCHING)
    assert not core.sf_program_open(program, files[0].ctypes.data, files[0].size)
    assert not core.sf_plan_open(plan, program, files[1].ctypes.data, files[1].size)
    memory, x = aligned_bytes(core.sf_thread_bytes(program, 1, 4)), aligned_bytes(program.input_bytes)
    y, losses, state = np.zeros(1, np.int32), (ctypes.c_int64 * 1)(), aligned_bytes(plan.state_bytes)
    scratch = Scratch(memory.ctypes.data, memory.size, 1, 4)
    trial, addresses = TrialRecord(0, 1, 0, 1, 1), (files[0].ctypes.data, state.ctypes.data)
    assert core.sf_losses_threaded(
        program, plan, *addresses, scratch, None, None, x.ctypes.data, y.ctypes.data, 1, 0, trial, 1, losses
    )
    trainer = Trainer(ctypes.pointer(program), ctypes.pointer(plan), *addresses, scratch)
    assert core.sf_train_step(trainer, x.ctypes.data, y.ctypes.data, 1)


def test_what_a_matching_asks_of_its_caller():
    core, program, plan, training = library(), ProgramHandle(), PlanHandle(), PlanHandle()
    files = aligned(SFP), aligned(MATCHING), aligned(SFT)
    assert not core.sf_program_open(program, files[0].ctypes.data, files[0].size)
    assert not core.sf_plan_open(plan, program, files[1].ctypes.data, files[1].size)
    assert not core.sf_plan_open(training, program, files[2].ctypes.data, files[2].size)
    size = core.sf_match_bytes(program)
    memory, x = aligned_bytes(size), aligned_bytes(program.input_bytes)
    state, logits = aligned_bytes(plan.state_bytes + 4), np.zeros(program.classes, np.int32)

    def asked(plan=plan, state=state.ctypes.data, size=size, block=1, row_tile=4, x=x.ctypes.data):
        scratch = Scratch(memory.ctypes.data, size, block, row_tile)
        status = core.sf_match_logits(program, plan, state, scratch, x, 1, 1, logits.ctypes.data)
        return core.sf_status_text(status).decode()

    assert asked() == "ok"
    assert asked(plan=training) == asked(state=None) == asked(block=2) == asked(row_tile=16) == asked(x=None)
    assert asked(x=None) == "an argument is not valid"
    assert asked(size=size - 1) == "not enough scratch memory"
    assert asked(state=state.ctypes.data + 2) == "a pointer is not aligned as documented"
    assert core.sf_match_refresh(program, training, state.ctypes.data)
    assert core.sf_match_refresh(program, plan, None)
