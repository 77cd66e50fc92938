"""A tail that moves by its gradient: its parameters in the journal, replayed and resumed to the same bits."""

import struct
import zlib

import pytest
import stripes
from small import samples, small_program

from stepforward import journal as journals
from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch
from stepforward.errors import StepforwardError
from stepforward.methods.table import make
from stepforward.plan.make import for_training
from stepforward.run.parameters import stored
from stepforward.run.session import Session
from stepforward.settings import Settings
from stepforward.verbs.adapt import adapt
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

DATA = tuple(stripes.arrays(range(8)).values())
OPTIONS = {"steps": 60, "tail": "exact", "evaluate_every": 10, "lr": 4e-3, "directions": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tail")
    (folder / "float.onnx").write_bytes(stripes.network().SerializeToString())
    for bits in ("16w8a", "8w8a"):
        quantize(folder / "float.onnx", DATA, out=folder / f"{bits}.onnx", bits=bits)
    return folder


CASES = [
    {"train": "all"},
    {"train": "head", "rounding": "stochastic"},
    {"train": "all", "momentum": 0.9, "lr": 1e-3},
    {"train": "all", "bits": "8w8a", "low_bits": "fraction-8", "tail_rate": 1.0},
    {"train": "all", "bits": "8w8a", "low_bits": "master", "tail_rate": 1.0},
    {"train": "all", "votes": "graded", "sizes": "relative", "epsilon": 0.05, "lr": 0.05},
]


@pytest.mark.parametrize("options", CASES)
def test_a_run_is_replayed_and_resumed_to_the_same_bits(base, tmp_path, options):
    model = base / f"{options.get('bits', '16w8a')}.onnx"
    whole = adapt(model, DATA, out=tmp_path / "whole", **OPTIONS | options)
    assert whole["kept_step"] > 0
    content = (tmp_path / "whole" / "journal").read_bytes()
    recorded = journals.parse(content)
    assert [p.step for p in recorded.parameters] == [whole["kept_step"]]
    assert replay(model, tmp_path / "whole" / "journal")["weights_sha256"] == whole["weights_sha256"]
    (tmp_path / "cut").mkdir()
    begun = recorded.begun[0]
    for length in range(len(content) - 1, begun, (begun - len(content)) // 7):
        (tmp_path / "cut" / "journal").write_bytes(content[:length])
        again = adapt(model, DATA, out=tmp_path / "cut", resume=True, **OPTIONS | options)
        assert again["weights_sha256"] == whole["weights_sha256"], length
        assert (tmp_path / "cut" / "journal").read_bytes() == content


def test_an_automatic_tail_is_recorded_as_what_it_was(base, tmp_path):
    options = OPTIONS | {"tail": "auto"}
    result = adapt(base / "16w8a.onnx", DATA, out=tmp_path / "auto", **options)
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "exact", **OPTIONS)
    assert result["settings"]["tail"] == "exact"
    written = (tmp_path / "auto" / "journal").read_bytes()
    assert written == (tmp_path / "exact" / "journal").read_bytes()
    (tmp_path / "auto" / "journal").write_bytes(written[: len(written) // 2])
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "auto", resume=True, **options)
    assert (tmp_path / "auto" / "journal").read_bytes() == written


def test_ctrl_c_between_two_validations_goes_back_to_the_first(base, tmp_path):
    whole = adapt(base / "16w8a.onnx", DATA, out=tmp_path / "whole", **OPTIONS)

    def interrupt(progress):
        if progress.step == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", on_progress=interrupt, **OPTIONS)
    assert len(journals.read(tmp_path / "run" / "journal").votes) == 27
    again = adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", resume=True, **OPTIONS)
    assert again["weights_sha256"] == whole["weights_sha256"]


def with_parameters(content, change):
    """A journal with every record of parameters changed, and checksums that match."""
    recorded = journals.parse(content)
    position = 16 + len(journals.settings_text(recorded.settings))
    check = zlib.crc32(content[: position - 4])
    parts = [content[:position]]
    while position < len(content):
        kind, count = content[position : position + 2]
        size = journals._payload_size(kind, count, recorded.directions, content[position + 2 : position + 10])
        record = content[position : position + 2 + size]
        if kind == journals.PARAMETERS:
            payload = change(record[10:])
            record = record[:6] + struct.pack("<I", len(payload)) + payload if payload is not None else b""
        if record:
            check = zlib.crc32(record, check)
            parts += [record, struct.pack("<I", check)]
        position += 2 + size + 4
    return b"".join(parts)


@pytest.mark.parametrize(
    "change", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: b"", lambda p: b"\0\x80" * (len(p) // 2)]
)
def test_parameters_of_another_network_are_refused(base, tmp_path, change):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    path = tmp_path / "run" / "journal"
    path.write_bytes(with_parameters(path.read_bytes(), change))
    with pytest.raises(StepforwardError, match="not those of this network"):
        replay(base / "16w8a.onnx", path)


def test_a_journal_without_the_parameters_that_it_keeps_is_refused(base, tmp_path):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    path = tmp_path / "run" / "journal"
    path.write_bytes(with_parameters(path.read_bytes(), lambda payload: None))
    with pytest.raises(StepforwardError, match="lacks the parameters of the tail"):
        replay(base / "16w8a.onnx", path)


@pytest.mark.parametrize("dtype, low_bits", [("s16", "direct"), ("s4", "fraction-2")])
def test_a_device_writes_the_same_journal(tmp_path, dtype, low_bits):
    settings = Settings(steps=6, directions=2, tail="exact", low_bits=low_bits, batch=6)
    program, plan = for_training(small_program(dtype), range(8), settings)
    batch, engine = Batch.of(*samples(program, 6)), CoreEngine(program, plan)
    tail = stored(engine, plan, plan.trainable[-plan.tail.count :])
    writer = journals.JournalWriter.create(tmp_path / "journal", {}, 2)
    pieces: list[bytes] = []
    device = DeviceLoop(program, plan, {}, pieces.append)
    with Session(make(settings), engine, writer, tail=tail) as session:
        for step in range(7):
            if step % 3 == 0:
                session.validation(step, lambda: (1, 2))
                session.validated(step, better=step > 0)
                device.evaluation(1, 2)
            if step < 6:
                session.step(step, lambda number: batch)
                device.step(batch)
        session.end(6, "all steps done")
    device.tail()
    device.end(6)
    assert b"".join(pieces) == (tmp_path / "journal").read_bytes()
    assert device.snapshot() == engine.snapshot()
