"""The run itself, on the reference engine: keep-best, early stop, and a resume that changes nothing."""

from pathlib import Path

import pytest
from plain import plain
from small import samples, small_program

from stepforward import journal as journals
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.protocol import Method
from stepforward.methods.qzo_ff import sign_spsa
from stepforward.methods.votes import VOTES
from stepforward.plan.make import plan_training
from stepforward.run.session import Session
from stepforward.run.training import Rules, train
from stepforward.scores import NATS, score

STEPS = 12


def validate(program, engine):
    x, y = samples(program, 8, seed=2)
    result = score(program, logits_of(engine, x), y)
    return result.correct, result.loss


def run(path: Path, *, resume=False, stop_after=None, lr=2e-3, patience=None):
    program = small_program()
    plan = plan_training(program, range(8), plain(steps=STEPS, lr=lr, momentum=0.5, directions=2))
    engine = ReferenceEngine(program, plan)
    x, y = samples(program, 6)
    recorded = journals.read(path) if resume else None
    if resume:
        writer = journals.JournalWriter.resume(path, recorded)
    else:
        writer = journals.JournalWriter.create(path, {}, 2)
    taken = []

    def batches(step):
        if stop_after is not None and len(taken) == stop_after:
            raise KeyboardInterrupt
        taken.append(step)
        return Batch.of(x, y)

    rules = Rules(
        steps=STEPS,
        most_steps=STEPS,
        lr=lr,
        validation_count=8,
        nats=NATS,
        evaluate_every=3,
        patience=patience,
    )
    try:
        with Session(Method(sign_spsa(2, False), VOTES), engine, writer, recorded) as session:
            result = train(session, batches, lambda: validate(program, engine), rules)
    except KeyboardInterrupt:
        return None
    return result, engine.snapshot().weights, taken


def test_a_run_keeps_the_best_validation_it_saw(tmp_path):
    result, _, taken = run(tmp_path / "journal")
    losses = [row.validation_loss for row in result.curve]
    assert [row.step for row in result.curve] == [0, 3, 6, 9, 12]
    assert taken == list(range(STEPS))
    assert result.forward_passes == STEPS * 2 * 2 * 6
    kept = next(row for row in result.curve if row.step == result.best.step)
    allowed = [r for r in result.curve if r.validation_accuracy >= result.curve[0].validation_accuracy]
    assert kept.validation_loss == min(row.validation_loss for row in allowed) <= losses[0]


def test_a_harmful_run_returns_the_given_weights(tmp_path):
    result, weights, _ = run(tmp_path / "journal", lr=5.0)
    assert result.best.step == 0
    assert result.best.snapshot.weights == small_program().weights != weights


def test_early_stop(tmp_path):
    result, _, taken = run(tmp_path / "journal", lr=5.0, patience=2)
    assert (result.stopped, result.steps, len(taken)) == ("early stop", 6, 6)


@pytest.mark.parametrize("stop_after", range(STEPS))
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, stop_after):
    whole, weights, _ = run(tmp_path / "whole")
    assert run(tmp_path / "cut", stop_after=stop_after) is None
    resumed, resumed_weights, taken = run(tmp_path / "cut", resume=True)
    assert resumed_weights == weights and resumed.best == whole.best
    assert len(taken) == STEPS - stop_after
    votes = [journals.read(tmp_path / name).votes.tolist() for name in ("cut", "whole")]
    assert votes[0] == votes[1]
