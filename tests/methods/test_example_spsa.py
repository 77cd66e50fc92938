"""The example of docs/adding.md: a method in one file, added by a line of the table."""

from pathlib import Path

import pytest
import stripes
from plain import plain
from small import samples, small_program

from stepforward import journal as journals
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.protocol import take
from stepforward.methods.table import INTEGERS, METHODS, PROBES, Listed, make
from stepforward.plan.make import plan_training
from stepforward.verbs.adapt import adapt
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

EXAMPLES = Path(__file__).parents[2] / "examples" / "methods"


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(METHODS, "spsa", Listed("spsa", INTEGERS, PROBES))


def trained(steps=30):
    program = small_program()
    settings = plain(temperature=1.0, method="spsa", steps=steps, lr=5e-4, directions=4, schedule="constant")
    engine = ReferenceEngine(program, plan_training(program, range(8), settings))
    batch = Batch.of(*samples(program, 16))
    return engine, settings, list(take(make(settings), engine, lambda number: batch, range(steps)))


def test_the_loss_falls_and_votes_are_more_than_signs():
    _engine, _settings, found = trained()
    losses = [estimate.loss for estimate in found]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    votes = [vote for estimate in found for vote in estimate.move]
    assert max(map(abs, votes)) > 1
    assert all(-128 <= vote <= 127 for vote in votes)


def test_applying_its_votes_again_gives_the_same_weights():
    engine, settings, found = trained()
    again = ReferenceEngine(small_program(), engine.plan)
    rule = make(settings).rule
    state = rule.init(again)
    for number, estimate in enumerate(found):
        state = rule.step(state, again, number, estimate.move)
    assert again.snapshot() == engine.snapshot()


def test_a_run_and_its_journal_take_it_by_its_name(tmp_path):
    (tmp_path / "float.onnx").write_bytes(stripes.network().SerializeToString())
    data = stripes.arrays(range(8))
    arrays = data["x"], data["y"]
    quantize(tmp_path / "float.onnx", arrays, out=tmp_path / "model.onnx")
    result = adapt(
        tmp_path / "model.onnx",
        arrays,
        method="spsa",
        steps=40,
        lr=2e-3,
        votes="sign",
        out=tmp_path / "run",
        seed=1,
    )
    assert (result["method"], result["kept_step"] > 0) == ("spsa", True)
    assert journals.read(tmp_path / "run" / "journal").settings["method"] == "spsa"
    repeated = replay(tmp_path / "model.onnx", tmp_path / "run" / "journal")
    assert repeated["weights_sha256"] == result["weights_sha256"]
