"""The core on a Cortex-M4 and a Cortex-M55 under QEMU: every printed integer of the training steps is the host's."""

import hashlib
import json
import re
import subprocess
import zlib
from functools import cache
from typing import NamedTuple

import make_inputs
import pytest
from emulated import FIRMWARE, M4, M4_PLAIN, M55, NEEDS_TOOLS, make
from trained import trained_bytes

import stepforward
from stepforward import journal as journals
from stepforward.engines.core import CoreEngine, device_inference_bytes, device_scratch_bytes
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.journal import JournalWriter
from stepforward.memory import memory
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.methods.trials import both_sides
from stepforward.run.parameters import stored

REPORT_EVERY, STACK_BYTES = 20, 2560  # as firmware/README.md has it
PRINTED = 8
FACTS = ("weights", "logits", "losses", "votes", "journal", "journal_crc")
HELPERS = (
    r"mem(cpy|set|move)|__gnu_thumb1_case_\w+"
    r"|__aeabi_(lmul|llsl|llsr|lasr|u?l?idiv(mod)?|u?ldivmod|u?lcmp|mem\w+)"
)
"""What a compiler may call on its own: copies and integer arithmetic; a floating-point helper would show."""

pytestmark = NEEDS_TOOLS

RECORDED_AS = {M4: "M4 DSP", M4_PLAIN: "M4 plain", M55: "M55 Helium"}
RECORD = FIRMWARE.parent / "benchmarks" / "results" / "device_instructions.json"
CASES = [
    *(("plain", 40, M4), ("momentum", 40, M4), ("head", 40, M4)),
    *(("digits", 2, M4), ("defaults", 1, M4), ("kernels", 2, M4)),
    *(
        ("fractions", 24, M4),
        ("together", 20, M4),
        ("graded", 24, M4),
        ("graded", 10, M55),
        ("curved", 20, M4),
        ("curved", 5, M55),
        ("fractions", 10, M55),
        ("masked", 24, M4),
        ("sampled", 24, M4),
        ("salient", 24, M4),
        ("guided", 24, M4),
        ("sharp", 24, M4),
        ("adam", 24, M4),
        ("tail", 24, M4),
        ("tail", 10, M55),
    ),
    *(("plain", 20, M4_PLAIN), ("kernels", 2, M4_PLAIN), ("long", 2, M4)),
    *(("tokens", 10, M4), ("tokens", 3, M4_PLAIN), ("tokens", 3, M55)),
    *(("recurrent", 10, M4), ("recurrent", 3, M4_PLAIN), ("recurrent", 3, M55)),
    *(("plain", 24, M55), ("momentum", 24, M55), ("head", 24, M55), ("kernels", 2, M55), ("long", 2, M55)),
]
"""A run of the firmware, its steps, and how it is built: with the DSP instructions, in plain C, with Helium.
A run of more than REPORT_EVERY steps has a report on its way."""


@cache
def run_of(name):
    large = {
        "digits": make_inputs.digits_run,
        "defaults": make_inputs.defaults_run,
        "kernels": make_inputs.kernels_run,
        "long": make_inputs.long_run,
        "tokens": make_inputs.tokens_run,
        "recurrent": make_inputs.recurrent_run,
    }
    return large[name]() if name in large else make_inputs.small_runs()[name]


class Printed(NamedTuple):
    """What the device printed."""

    run: make_inputs.Run
    steps: int
    build: str
    lines: list

    def number(self, start):
        return next(int(line.split()[-1]) for line in self.lines if line.startswith(start))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def printed(request, build_folder):
    name, steps, build = request.param
    lines = make(build_folder, "run", build, f"RUN={name}", f"STEPS={steps}").splitlines()
    assert lines[0] == f"run {name}" and lines[-1] == "done"
    return Printed(run_of(name), steps, build, lines)


def hash_of_trained(run, section):
    """SHA-256 of what a device holds in RAM."""
    return hashlib.sha256(trained_bytes(run.program, run.plan, section)).hexdigest()


def host_lines(engine, run, steps, path):
    """What the device has to print, from an engine on this machine."""
    m = run.plan.directions
    writer = JournalWriter.create(path, run.settings, m)
    taken = qzo_ff(engine, lambda step: Batch.of(run.x, run.y), range(steps), m, run.plan.share_batch)
    for step in range(steps + 1):
        if step % REPORT_EVERY == 0 or step == steps:
            logits = logits_of(engine, run.x)
            trials = [PLAIN, *both_sides(len(run.y), m, False)[:PRINTED]]
            losses = engine.losses(step, Batch.of(run.x, run.y), trials)
            yield f"weights {step} {hash_of_trained(run, engine.snapshot().weights)}"
            for sample, row in enumerate(logits.tolist()):
                yield " ".join(map(str, ["logits", step, sample, *row]))
            yield " ".join(map(str, ["losses", step, *losses]))
        if step < steps:
            votes = next(taken).votes
            writer.votes(votes, engine.vote_scale)
            yield " ".join(map(str, ["votes", step, *votes]))
    writer.evaluation(int((logits.argmax(axis=1) == run.y).sum()), losses[0])
    if run.plan.tail:
        tail = stored(engine, run.plan, run.plan.trainable[-run.plan.tail.tensors :])
        writer.parameters(journals.Parameters(steps, tail.read()))
    writer.end(steps, "all steps done")
    writer.close()
    content = path.read_bytes()
    yield f"journal {content.hex()}"
    yield f"journal_crc {zlib.crc32(content)}"


@pytest.mark.parametrize("engine", [ReferenceEngine, CoreEngine])
def test_the_device_prints_what_the_host_computes(printed, engine, tmp_path):
    run = printed.run
    expected = host_lines(engine(run.program, run.plan), run, printed.steps, tmp_path / "journal")
    assert [line for line in printed.lines if line.split()[0] in FACTS] == list(expected)


@pytest.mark.parametrize("printed", CASES[:3], indirect=True, ids=lambda case: case[0])
def test_the_device_learns(printed):
    losses = [int(line.split()[2]) for line in printed.lines if line.startswith("losses ")]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "printed", [case for case in CASES if case[0] == "kernels"], indirect=True, ids=lambda case: case[2]
)
def test_the_operators_take_the_instructions_on_record(printed):
    """The counts are exact for one compiler; another may differ a little, and a lost fast path by half and more."""
    recorded = json.loads(RECORD.read_text())["runs"]["kernels"]["builds"][RECORDED_AS[printed.build]]
    unit = 31.25 if printed.build == M55 else 40
    lines = [line for line in printed.lines if line.startswith("ticks operator")]
    for line, wanted in zip(lines, recorded["operators"], strict=True):
        for ticks, instructions in zip(line.split()[3:], wanted, strict=True):
            assert int(ticks) * unit == pytest.approx(instructions, rel=0.05, abs=2 * unit), line


def test_the_journal_of_the_device_rebuilds_its_weights(printed):
    content = next(line.split()[1] for line in printed.lines if line.startswith("journal "))
    journal = journals.parse(bytes.fromhex(content))
    steps = printed.steps
    assert journal.settings == printed.run.settings and journal.kept == steps
    engine = CoreEngine(printed.run.program, printed.run.plan)
    for step, votes in enumerate(journal.votes):
        engine.update(step, votes.tolist())
    for kept in journal.parameters:
        stored(engine, engine.plan, engine.plan.trainable[-engine.plan.tail.tensors :]).write(kept.content)
    assert f"weights {steps} {hash_of_trained(printed.run, engine.snapshot().weights)}" in printed.lines


def test_replay_takes_a_journal_from_a_device(build_folder, tmp_path):
    lines = make(build_folder, "run", "RUN=digits", "STEPS=1").splitlines()
    content = next(line.split()[1] for line in lines if line.startswith("journal "))
    (tmp_path / "journal").write_bytes(bytes.fromhex(content))
    result = stepforward.replay(make_inputs.digits_model(), tmp_path / "journal")
    assert f"weights 1 {result['weights_sha256']}" in lines


def test_training_and_inference_touch_what_they_ask_for(printed):
    scratch, inference = printed.number("bytes scratch"), printed.number("bytes inference")
    assert scratch == device_scratch_bytes(printed.run.program)
    assert inference == device_inference_bytes(printed.run.program)
    ram = memory(printed.run.program, printed.run.plan).other_ram
    assert printed.number("bytes weights") == next(n for name, n in ram.items() if "weights" in name)
    assert printed.number("bytes state") == printed.run.plan.state_bytes
    assert printed.number("touched inference") <= inference <= scratch
    assert printed.number("touched training") <= scratch
    assert printed.number("touched stack") < STACK_BYTES


@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4", "cortex-m55"])
def test_the_core_needs_nothing_but_a_compiler(build_folder, cpu):
    make(build_folder, "lib", f"CPU={cpu}")
    library = build_folder / f"{cpu}-O2" / "libstepforward.a"
    listing = subprocess.run(
        ["arm-none-eabi-nm", str(library)], capture_output=True, text=True, check=True
    ).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines() if re.search(r" [A-Za-z] \S+$", line)]
    defined = {name for kind, name in symbols if kind != "U"}
    wanted = {name for kind, name in symbols if kind == "U"} - defined
    helpers = re.compile(HELPERS)
    assert {name for name in wanted if not helpers.fullmatch(name)} == set()
    assert {name for kind, name in symbols if kind in "DdBbC"} == set(), "the core keeps no state of its own"


def test_a_shorter_table_of_operators_leaves_the_others_out_of_flash(build_folder, tmp_path):
    text = (FIRMWARE / "README.md").read_text()
    (tmp_path / "few.c").write_text(re.search(r"```c\n(#include \"operators.*?)```", text, re.DOTALL)[1])
    shorter = f"OPERATORS={tmp_path / 'few.c'}"
    lines = {words: make(build_folder, "run", "RUN=long", "STEPS=1", *words) for words in ((), (shorter,))}
    facts = [[line for line in text.splitlines() if line.split()[0] in FACTS] for text in lines.values()]
    assert facts[0] == facts[1] and facts[0]
    listing = subprocess.run(
        ["arm-none-eabi-nm", build_folder / "cortex-m4-O2-few" / "firmware.elf"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(r" sfi_conv\b", listing) and not re.search(r" sf_(depthwise|max_pool|add)\b", listing)
