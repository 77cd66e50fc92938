"""The example of a stream, on a Cortex-M4 and a Cortex-M55 under QEMU: every integer is the host's."""

import hashlib
from functools import cache

import make_inputs
import make_stream
import pytest
from emulated import M4, M4_PLAIN, M55, NEEDS_TOOLS, make

import stepforward
from stepforward import journal as journals
from stepforward.engines.core import CoreEngine, device_inference_bytes
from stepforward.engines.matching import MatchingEngine
from stepforward.engines.protocol import Batch
from stepforward.lowering.lower import lower
from stepforward.matching.stream import Stream
from stepforward.sources.open import open_source

pytestmark = NEEDS_TOOLS


IMAGES = {M4: 80, M4_PLAIN: 10, M55: 10}


@cache
def given(images=200):
    whole = make_stream.stream()
    return whole._replace(x=whole.x[:images], y=whole.y[:images])


@cache
def on_the_host(images):
    """What the device has to print, and the engine afterwards."""
    run = given(images)
    engine = MatchingEngine(run.program, run.plan)
    found = {"before": engine.outputs(Batch.of(run.x))[0], "during": engine.follow(run.x)}
    found["after"] = engine.outputs(Batch.of(run.x))[0]
    lines = []
    for name, logits in found.items():
        lines += [" ".join(map(str, ["logits", name, i, *row])) for i, row in enumerate(logits.tolist())]
        lines.append(f"correct {name} {(logits.argmax(axis=1) == run.y).sum()} {len(run.y)}")
    return [*lines, f"state {hashlib.sha256(engine.state).hexdigest()}"], engine


@pytest.fixture(scope="module", params=IMAGES)
def lines(request, build_folder):
    printed = make(build_folder, "stream", request.param, f"IMAGES={IMAGES[request.param]}").splitlines()
    assert printed[-1] == "done"
    return [" ".join(line.split()) for line in printed]


def number(lines, start):
    return next(int(line.split()[2]) for line in lines if line.startswith(start))


def images_of(lines):
    return int(next(line.split()[3] for line in lines if line.startswith("correct")))


def test_the_device_prints_what_the_host_computes(lines):
    facts = [line for line in lines if line.split()[0] in ("logits", "correct", "state")]
    assert facts == on_the_host(images_of(lines))[0]


def test_the_definition_begins_in_the_same_way(lines):
    run = given()
    definition = Stream(run.program, run.plan)
    for i, sample in enumerate(run.x[:3]):
        (row,) = definition.outputs(sample[None], counted=True).tolist()
        definition.refresh()
        assert " ".join(map(str, ["logits during", i, *row])) in lines


@pytest.mark.parametrize("lines", [M4], indirect=True)
def test_a_stream_of_shifted_images_comes_back(lines):
    before, after = (number(lines, f"correct {name}") for name in ("before", "after"))
    assert after > 3 * before


def test_the_snapshot_is_the_matched_model(lines, tmp_path):
    content = next(line.split()[1] for line in lines if line.startswith("journal "))
    assert journals.parse(bytes.fromhex(content)).settings == given().settings
    (tmp_path / "journal").write_bytes(bytes.fromhex(content))
    stepforward.replay(make_inputs.digits_model(), tmp_path / "journal", out=tmp_path / "matched.onnx")
    engine = on_the_host(images_of(lines))[1]
    program = lower(open_source(tmp_path / "matched.onnx").network())
    x = Batch.of(given().x[:20])
    expected = CoreEngine(program).outputs(x)[0]
    assert engine.outputs(x)[0].tolist() == expected.tolist()


def test_memory_and_instructions_are_what_is_said(lines):
    run = given()
    assert number(lines, "bytes state") == run.plan.state_bytes
    assert number(lines, "bytes inference") == device_inference_bytes(run.program)
    assert 0 < number(lines, "bytes scratch") - number(lines, "bytes inference") <= 512
    plain, matched = number(lines, "ticks inference"), number(lines, "ticks matched")
    assert matched < 1.01 * plain  # constants of its own cost next to nothing
    assert number(lines, "ticks counted") < 1.6 * plain  # layers of few products per output
    assert number(lines, "touched stack") < 2048
