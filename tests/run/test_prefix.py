"""Layers that stay are run once for every sample, and no bit of a run depends on it."""

from dataclasses import replace

import numpy as np
import pytest
import stripes
from small import samples, small_program

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import for_training
from stepforward.run import prefix
from stepforward.run.prefix import run_prefix
from stepforward.settings import Settings
from stepforward.verbs.adapt import adapt
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

DATA = tuple(stripes.arrays(range(8)).values())
OPTIONS = {"steps": 30, "evaluate_every": 10, "directions": 2, "train": "head"}


@pytest.mark.parametrize("dtype", ["s16", "s4"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tail": "exact", "low_bits": "auto"},
        {"votes": "graded", "momentum": 0.5, "sparsity": 0.5},
        {"share_batch": False, "rounding": "stochastic"},
    ],
    ids=str,
)
def test_what_is_left_takes_the_same_steps(dtype, settings):
    settings = Settings(steps=6, directions=2, batch=12, **settings)
    whole = small_program(dtype)
    given = {"train": samples(whole, 12)}
    found = []
    for first in range(1, 7):
        program, plan = for_training(whole, range(first, 8), settings)
        reached = run_prefix(program, plan, given, settings)
        if not reached.position:
            continue
        engines = CoreEngine(program, plan), CoreEngine(reached.program(program), reached.plan(plan))
        batches = [Batch.of(*part["train"]) for part in (given, reached.samples)]
        for engine, batch in zip(engines, batches, strict=True):
            found.append(list(qzo_ff(engine, lambda _, b=batch: b, range(6), 2, settings.share_batch)))
        assert found[-1] == found[-2]
        assert engines[0].snapshot() == engines[1].snapshot()
    assert len(found) >= 4


@pytest.mark.parametrize(
    "options",
    [{}, {"tail": "exact"}, {"bits": "8w8a", "low_bits": "master"}, {"head_start": "auto", "tail": "exact"}],
    ids=str,
)
def test_a_run_is_the_same_where_no_memory_is_spent_on_it(tmp_path, options):
    (tmp_path / "float.onnx").write_bytes(stripes.network().SerializeToString())
    model = tmp_path / "model.onnx"
    quantize(tmp_path / "float.onnx", DATA, out=model, bits=options.get("bits", "16w8a"))
    results = [
        adapt(model, DATA, out=tmp_path / memory, memory=memory, **OPTIONS | options)
        for memory in ("fast", "small")
    ]
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]
    assert (tmp_path / "fast" / "journal").read_bytes() == (tmp_path / "small" / "journal").read_bytes()
    assert replay(model, tmp_path / "fast" / "journal")["weights_sha256"] == results[0]["weights_sha256"]
    assert results[0]["curve"] == results[1]["curve"]


def test_it_stays_within_its_bound(monkeypatch):
    settings = Settings(steps=1)
    program, plan = for_training(small_program(), [6, 7], settings)
    given = {"train": samples(program, 5), "test": samples(program, 3)}
    reached = run_prefix(program, plan, given, settings)
    each = program.tensors[program.ops[plan.first_op].inputs[0]].bytes
    assert reached.bytes == 8 * each and reached.samples["test"][0].dtype == np.int8
    assert run_prefix(program, plan, given, replace(settings, memory="small")).bytes == 0
    monkeypatch.setattr(prefix, "MOST_BYTES", 8 * each - 1)
    assert run_prefix(program, plan, given, settings).samples is given
    everything, all_plan = for_training(small_program(), range(8), settings)
    assert run_prefix(everything, all_plan, given, settings).position == 0
