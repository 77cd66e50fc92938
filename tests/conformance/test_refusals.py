"""What every public call of the core refuses, by which status, and that it then writes nothing."""

import ctypes
import hashlib
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import small
from plain import plain

from stepforward.arithmetic.loss import cross_entropy
from stepforward.core import bindings
from stepforward.core.bindings import (
    DEVICE_ROWS,
    SINK,
    JournalHandle,
    Packs,
    PlanHandle,
    Probe,
    ProgramHandle,
    Scratch,
    Trainer,
    TrialRecord,
    library,
)
from stepforward.engines.core import CoreEngine, aligned_bytes, open_plan, open_program
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch, logits_of
from stepforward.errors import StepforwardError
from stepforward.journal import parse
from stepforward.methods.trials import both_sides
from stepforward.plan import fileformat as plan_file
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import to_bytes

HEADER = (Path(bindings.__file__).parent / "include" / "stepforward.h").read_text()
ENUM = re.search(r"enum sf_status \{(.*?)\}", HEADER, re.S)[1]
STATUS = {name: number for number, name in enumerate(re.findall(r"^ +(SF_\w+)", ENUM, re.M))}
BAD = STATUS["SF_BAD_ARGUMENT"]
MISALIGNED, TOO_SMALL = STATUS["SF_MISALIGNED"], STATUS["SF_SCRATCH_TOO_SMALL"]
ROWS, BLOCK, N = 16, 2, 3
NULL = None


class World:
    """A program, a plan and buffers for every call."""

    def __init__(self, momentum=0.5):
        program = small.small_program()
        settings = plain(steps=9, directions=2, momentum=momentum, share_batch=False)
        plan = plan_training(program, range(8), settings)
        self.program = plan_arena(program, plan.first_op)
        self.training = plan
        self.handle, self._file = open_program(self.program)
        self.plan, self._plan_file = open_plan(self.handle, plan)
        self.weights = aligned_bytes(len(program.weights) + 64)
        self.state = aligned_bytes(2 * plan.elements + 64)
        size = library().sf_thread_bytes(self.handle, BLOCK, ROWS)
        self.memory = aligned_bytes(size)
        self.x, self.y = small.samples(self.program, N)
        self.losses = (ctypes.c_int64 * 8)(*[77] * 8)
        self.logits = np.full((N, 4), 77, np.int32)
        self.votes = (ctypes.c_int8 * 2)(1, -1)
        self.probes = (Probe * 2)(Probe(0, 0, 1), Probe(0, 0, -1))
        self.trials = (TrialRecord * 2)((0, 1, 0, 0, 1, N), (0, -1, 0, 0, 1, N))

    def scratch(self, memory="", size=None, block=BLOCK, rows=ROWS):
        memory = self.memory.ctypes.data if memory == "" else memory
        return Scratch(memory, self.memory.size if size is None else size, block, rows)


def call(name, *arguments):
    """A function by name; numbers are addresses or words as they come."""
    function = getattr(ctypes.CDLL(library()._name), name)
    function.restype = ctypes.c_int
    return function(*(ctypes.c_void_p(a) if isinstance(a, int) and a > 2**31 else a for a in arguments))


def ref(thing):
    return None if thing is None else ctypes.byref(thing)


def test_every_status_has_a_text_of_its_own():
    texts = {library().sf_status_text(number).decode() for number in range(len(STATUS))}
    assert len(texts) == len(STATUS) and "unknown status" not in texts
    assert library().sf_status_text(200).decode() == "unknown status"


@pytest.mark.parametrize("threaded", [False, True])
def test_losses_refuse_what_they_cannot_use(threaded):
    w = World()
    size = library().sf_scratch_bytes(w.handle, BLOCK, ROWS)

    def losses(**changed):
        given = {
            "program": w.handle,
            "plan": w.plan,
            "weights": w.weights.ctypes.data,
            "state": w.state.ctypes.data,
            "scratch": w.scratch(),
        }
        given |= {
            "x": w.x.ctypes.data,
            "y": w.y.ctypes.data,
            "probes": w.probes,
            "count": 2,
            "losses": w.losses,
        }
        given |= changed
        w.losses[:] = [77] * 8
        middle = (NULL, NULL) if threaded else ()
        probes = given["probes"]
        if threaded and probes:
            probes = (TrialRecord * 2)(*((p.direction, p.sign, p.ascent, 0, 1, N) for p in probes))
        tried = (0, probes) if threaded else (probes,)
        status = call(
            "sf_losses_threaded" if threaded else "sf_losses",
            *(ref(given["program"]), ref(given["plan"]), given["weights"], given["state"]),
            *(ref(given["scratch"]), *middle),
            *(given["x"], given["y"], N, *tried, given["count"], given["losses"]),
        )
        assert (list(w.losses) == [77] * 8) == (status != 0)
        return status

    assert losses() == 0
    for name in ("program", "weights", "state", "scratch", "x", "y", "losses", "probes", "plan"):
        assert losses(**{name: NULL}) == BAD, name
    assert losses(scratch=w.scratch(memory=NULL)) == BAD
    assert losses(scratch=w.scratch(block=0)) == BAD
    for rows in (0, 1, 3, 5, 15, 17, 65552, 2**31):
        assert losses(scratch=w.scratch(rows=rows)) == BAD, rows
    assert losses(scratch=w.scratch(size=size - 1)) == TOO_SMALL
    assert losses(scratch=w.scratch(memory=w.memory.ctypes.data + 4)) == MISALIGNED
    assert losses(weights=w.weights.ctypes.data + 2) == MISALIGNED
    assert losses(state=w.state.ctypes.data + 2) == MISALIGNED
    for sign in (-2, 2, 127):
        assert losses(probes=(Probe * 2)(Probe(0, 0, 1), Probe(0, 0, sign))) == BAD
    for ascent in (-128, 128, -(2**31)):
        assert losses(probes=(Probe * 2)(Probe(0, 0, 1, ascent), Probe(0, 0, 0))) == BAD
    for label in (-1, 4, 2**31 - 1):
        wrong = np.array([0, 1, label], np.int32)
        assert losses(y=wrong.ctypes.data) == bindings.BAD_LABEL


@pytest.mark.parametrize("threaded", [False, True])
def test_logits_refuse_what_they_cannot_use(threaded):
    w = World()

    def logits(**changed):
        given = {
            "program": w.handle,
            "weights": w.weights.ctypes.data,
            "scratch": w.scratch(),
            "x": w.x.ctypes.data,
        }
        given |= {"logits": w.logits.ctypes.data} | changed
        middle = (NULL, NULL) if threaded else ()
        return call(
            "sf_logits_threaded" if threaded else "sf_logits",
            *(ref(given["program"]), ref(w.plan), given["weights"], ref(given["scratch"]), *middle),
            *(given["x"], N, given["logits"]),
        )

    assert logits() == 0
    for name in ("program", "weights", "scratch", "x", "logits"):
        assert logits(**{name: NULL}) == BAD, name
    assert logits(scratch=w.scratch(size=8)) == TOO_SMALL


def test_a_device_infers_and_trains_by_the_plain_calls_alone():
    w = World()
    size = library().sf_scratch_bytes(w.handle, 1, DEVICE_ROWS)
    scratch = w.scratch(size=size, block=1, rows=DEVICE_ROWS)
    call("sf_plan_weights", ref(w.plan), ref(w.handle), w.weights.ctypes.data)
    weights = ref(w.handle), ref(w.plan), w.weights.ctypes.data
    trained, rest = (*weights, w.state.ctypes.data), (ref(scratch), w.x.ctypes.data)
    engine = CoreEngine(w.program, w.training, threads=1)
    assert call("sf_logits", *weights, *rest, N, w.logits.ctypes.data) == 0
    assert np.array_equal(w.logits, logits_of(engine, w.x))
    assert call("sf_losses", *trained, *rest, w.y.ctypes.data, N, w.probes, 2, w.losses) == 0
    assert w.losses[:2] == engine.losses(0, Batch.of(w.x, w.y), both_sides(N, 1, False))
    logits = np.zeros((N, 4), np.int32)
    for i in range(N):
        one = w.x[i : i + 1].ctypes.data
        assert call("sf_forward", *trained, rest[0], one, 1, 0, w.handle.op_count, NULL) == 0
        assert call("sf_logits", *weights, rest[0], one, 1, logits[i].ctypes.data) == 0
    assert np.array_equal(logits, w.logits)


def test_forward_refuses_what_it_cannot_use():
    w = World()

    def forward(n=2, first=0, last=w.handle.op_count, program=w.handle):
        return call(
            "sf_forward",
            *(ref(program), ref(w.plan), w.weights.ctypes.data, w.state.ctypes.data),
            *(ref(w.scratch()), w.x.ctypes.data, n, first, last, NULL),
        )

    assert forward() == 0
    assert forward(program=NULL) == BAD
    assert forward(n=BLOCK + 1) == BAD
    assert forward(first=3, last=2) == BAD
    assert forward(last=w.handle.op_count + 1) == BAD


@pytest.mark.parametrize("threaded", [False, True])
def test_updates_refuse_what_they_cannot_use(threaded):
    w = World()

    def update(**changed):
        given = {
            "program": w.handle,
            "plan": w.plan,
            "weights": w.weights.ctypes.data,
            "votes": w.votes,
            "step": 0,
        }
        given |= {"state": w.state.ctypes.data} | changed
        end = (NULL, NULL) if threaded else ()
        return call(
            "sf_update_threaded" if threaded else "sf_update",
            *(ref(given["program"]), ref(given["plan"]), given["weights"], given["state"], given["step"]),
            *(given["votes"], *end),
        )

    assert update() == 0
    before = w.weights.tobytes()
    for name in ("program", "plan", "weights", "votes", "state"):
        assert update(**{name: NULL}) == BAD, name
    assert update(step=9) == BAD
    assert update(weights=w.weights.ctypes.data + 1) == MISALIGNED
    assert update(state=w.state.ctypes.data + 1) == MISALIGNED
    assert w.weights.tobytes() == before
    w = World(momentum=0.0)
    assert update(state=NULL, program=w.handle, plan=w.plan, weights=w.weights.ctypes.data) == 0


def test_packs_and_crews_refuse_what_they_cannot_use():
    w = World()
    need = library().sf_packs_bytes(w.handle, ROWS, 2, 1)
    memory = aligned_bytes(need + 64)

    def losses(packs, scratch=None, crew=NULL, n=N, count=2, trials=None):
        return call(
            "sf_losses_threaded",
            *(
                ref(w.handle),
                ref(w.plan),
                w.weights.ctypes.data,
                w.state.ctypes.data,
                ref(scratch or w.scratch()),
                crew,
                ref(packs),
            ),
            *(w.x.ctypes.data, w.y.ctypes.data, n, 0, trials or w.trials, count, w.losses),
        )

    def packs(at=0, size=need, copies=2, directions=1):
        return Packs(memory.ctypes.data + at if at is not None else NULL, size, copies, directions, 0, 0, 0)

    assert losses(packs()) == 0
    assert losses(packs(), count=0) == 0
    assert losses(packs(), n=0) == BAD  # trials on samples that are not there
    for rows in (
        (0, 1, N + 1),
        (1, 1, N),
        (N - 1, 1, 2),
        (0, 0, 1),
        (0, 2**31, 3),
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
    ):
        assert losses(packs(), count=1, trials=(TrialRecord * 1)((0, 1, 0, *rows))) == BAD, rows
    assert losses(packs(), n=0, trials=(TrialRecord * 2)((0, 1, 0, 0, 1, 0), (0, 0, 0, 9, 1, 0))) == 0
    assert losses(packs(at=None)) == BAD and losses(packs(copies=0)) == BAD
    assert losses(packs(at=8)) == MISALIGNED
    assert losses(packs(size=need - 1)) == TOO_SMALL
    assert losses(packs(), w.scratch(rows=DEVICE_ROWS)) == BAD
    assert losses(packs(copies=2**31)) == TOO_SMALL == losses(packs(directions=2**32 - 1))
    for arguments in ((NULL, ROWS, 2, 1), (ref(w.handle), 5, 2, 1), (ref(w.handle), ROWS, 0, 1)):
        assert call("sf_packs_bytes", *arguments) == 0
    size = library().sf_crew_bytes()
    room = aligned_bytes(size)
    for at, given, threads in ((NULL, size, 2), (room.ctypes.data, size - 1, 2), (room.ctypes.data, size, 0)):
        assert library().sf_crew_open(at, given, threads) == BAD
    assert library().sf_crew_open(room.ctypes.data, size, 65) == BAD
    assert library().sf_crew_open(room.ctypes.data, size, 2) == 0
    assert losses(packs(), crew=room.ctypes.data) == TOO_SMALL  # one thread's memory for two
    library().sf_crew_close(room.ctypes.data)
    assert losses(packs(), crew=room.ctypes.data) == 0  # closed: the caller works alone
    library().sf_crew_close(room.ctypes.data)
    library().sf_crew_close(NULL)


def test_sizes_that_are_not_allowed_are_zero():
    w = World()
    for arguments in ((NULL, 1, 4), *product([ref(w.handle)], [1], [0, 3, 17, 65552]), (ref(w.handle), 0, 4)):
        assert call("sf_scratch_bytes", *arguments) == 0
    assert call("sf_scratch_bytes", ref(w.handle), 2**31, 4) == 0
    assert call("sf_inference_bytes", NULL, 1) == 0
    assert 0 < library().sf_inference_bytes(w.handle, 1) <= library().sf_scratch_bytes(w.handle, 1, 4)


def test_opening_refuses_null_and_odd_addresses():
    w = World()
    sfp, sft = to_bytes(w.program), plan_file.to_bytes(w.training)
    for content, name, handle, before in (
        (sfp, "sf_program_open", ProgramHandle(), ()),
        (sft, "sf_plan_open", PlanHandle(), (ref(w.handle),)),
    ):
        buffer = aligned_bytes(len(content) + 4)
        buffer[2 : len(content) + 2] = np.frombuffer(content, np.uint8)
        size = ctypes.c_size_t(len(content))
        assert call(name, NULL, *before, buffer.ctypes.data, size) == BAD
        assert call(name, ref(handle), *before, NULL, size) == BAD
        assert call(name, ref(handle), *before, buffer.ctypes.data + 2, size) == MISALIGNED
        for cut in range(len(content) - 1):
            buffer[:cut] = np.frombuffer(content[:cut], np.uint8)
            status = call(name, ref(handle), *before, buffer.ctypes.data, ctypes.c_size_t(cut))
            assert status in (STATUS["SF_TRUNCATED"], STATUS["SF_BAD_MAGIC"])
    empty = ProgramHandle()
    assert call("sf_plan_open", ref(PlanHandle()), NULL, buffer.ctypes.data, size) == BAD
    assert call("sf_plan_open", ref(PlanHandle()), ref(empty), buffer.ctypes.data, size) == BAD


class Sink:
    """Collects what it is given, or is full."""

    def __init__(self):
        self.content, self.is_full = b"", False
        self.function = SINK(self.take)

    def take(self, _, data, count):
        if not self.is_full:
            self.content += ctypes.string_at(data, count)
        return int(self.is_full)


def test_a_journal_refuses_what_it_cannot_use_and_keeps_what_a_full_sink_did_not_take():
    core, journal, sink = library(), JournalHandle(), Sink()
    buffer = aligned_bytes(core.sf_journal_buffer_bytes(3, 2))

    def open_it(
        handle=journal, directions=3, steps=2, at=buffer.ctypes.data, settings=b"{}", size=2, taker=None
    ):
        taker = sink.function if taker is None else taker
        return core.sf_journal_open(handle, directions, steps, at, settings, size, taker, None)

    for wrong in ({"handle": NULL}, {"at": NULL}, {"taker": SINK()}, {"settings": NULL}):
        assert open_it(**wrong) == BAD, wrong
    for wrong in ({"directions": 0}, {"directions": 256}, {"steps": 0}, {"steps": 256}):
        assert open_it(**wrong) == BAD, wrong
    sink.is_full = True
    assert open_it() == STATUS["SF_SINK_FAILED"]
    sink.is_full = False
    assert open_it() == 0
    three = ctypes.c_int8 * 3
    assert core.sf_journal_votes(NULL, three(), 0) == BAD and core.sf_journal_votes(journal, NULL, 0) == BAD
    assert (
        core.sf_journal_votes(JournalHandle(), three(), 0) == BAD
        and core.sf_journal_flush(JournalHandle()) == BAD
    )
    assert core.sf_journal_flush(NULL) == BAD
    assert core.sf_journal_evaluation(NULL, 1, 2) == BAD and core.sf_journal_end(NULL, 1, 0) == BAD
    steps = [(1, -1, 1), (0, 1, -1), (100, -128, 127), (1, 1, 1), (-1, -1, -1)]
    assert core.sf_journal_votes(journal, three(*steps[0]), 0) == 0
    sink.is_full = True
    assert core.sf_journal_votes(journal, three(*steps[1]), 0) == STATUS["SF_SINK_FAILED"]
    assert core.sf_journal_evaluation(journal, 1, -5) == STATUS["SF_SINK_FAILED"]
    assert core.sf_journal_end(journal, 1, 0) == STATUS["SF_SINK_FAILED"]
    sink.is_full = False
    for votes in steps[1:]:
        assert core.sf_journal_votes(journal, three(*votes), 0) == 0
    assert core.sf_journal_flush(journal) == 0 == core.sf_journal_flush(journal)
    assert core.sf_journal_evaluation(journal, 2, -5) == 0 and core.sf_journal_end(journal, 1, 0) == 0
    assert [tuple(votes) for votes in parse(sink.content).votes] == steps


def test_a_step_refuses_what_it_cannot_use_and_does_not_happen_without_its_journal():
    w = World()
    core, journal, sink = library(), JournalHandle(), Sink()
    buffer = aligned_bytes(core.sf_journal_buffer_bytes(2, 1))
    assert not core.sf_journal_open(journal, 2, 1, buffer.ctypes.data, b"{}", 2, sink.function, None)

    def trainer(**changed):
        given = {
            "program": ctypes.pointer(w.handle),
            "plan": ctypes.pointer(w.plan),
            "weights": w.weights.ctypes.data,
        }
        given |= {
            "state": w.state.ctypes.data,
            "scratch": w.scratch(),
            "journal": ctypes.pointer(journal),
        }
        return Trainer(**(given | changed))

    def step(it, y=w.y):
        return core.sf_train_step(it, w.x.ctypes.data, y.ctypes.data, N)

    call("sf_plan_weights", ref(w.plan), ref(w.handle), w.weights.ctypes.data)
    before = w.weights.tobytes()
    assert step(NULL) == BAD
    for name in ("program", "plan", "state", "weights"):
        assert step(trainer(**{name: None})) == BAD, name
    assert step(trainer(step=9)) == BAD
    other = JournalHandle(directions=3)
    assert step(trainer(journal=ctypes.pointer(other))) == BAD
    assert step(trainer(), np.array([0, 1, 4], np.int32)) == bindings.BAD_LABEL
    sink.is_full = True
    assert step(trainer()) == STATUS["SF_SINK_FAILED"]
    assert w.weights.tobytes() == before
    sink.is_full = False
    for journal_or_none in (ctypes.pointer(journal), None):
        assert step(trainer(journal=journal_or_none)) == 0
    assert w.weights.tobytes() != before


def test_no_samples_are_no_votes():
    """Shared or not, a batch without samples has losses of zero: nothing moves but what momentum moves."""
    for share in (False, True):
        program = small.small_program()
        settings = plain(steps=9, directions=3, share_batch=share)
        plan = plan_training(program, range(8), settings)
        program = plan_arena(program, plan.first_op)
        device = DeviceLoop(program, plan, {"seed": 0}, lambda _: None)
        x, y = small.samples(program, 0)
        assert device.step(Batch.of(x, y)) == (0, 0, 0)
        assert device.snapshot().weights == program.weights


def test_hashes_and_losses_of_single_calls_are_those_of_the_reference():
    digest = (ctypes.c_uint8 * 32)()
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        content = bytes(i * 7 & 255 for i in range(size))
        library().sf_sha256(content, size, digest)
        assert bytes(digest) == hashlib.sha256(content).digest()
    loss = ctypes.CDLL(library()._name).sf_cross_entropy
    loss.restype = ctypes.c_int64
    rng = np.random.default_rng(2)
    for shift in (0, 5, 20):
        for classes in (1, 2, 50):
            logits = rng.integers(-32768, 32768, classes).astype(np.int32)
            for label in range(min(3, classes)):
                found = loss(ctypes.c_void_p(logits.ctypes.data), classes, label, 40000, shift)
                assert found == cross_entropy(logits[None], np.array([label]), 40000, shift)[0]


def test_an_engine_names_what_the_core_refuses():
    with pytest.raises(StepforwardError, match="opening the program: "):
        bindings.check(STATUS["SF_BAD_HEADER"], "opening the program")
