"""What every engine with integer weights does alike: trials on some rows, several moves, snapshots of all it holds."""

import numpy as np
import pytest
from small import samples, small_program

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, Move, Snapshot, Trial
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.methods.trials import both_sides
from stepforward.plan.make import plan_training
from stepforward.settings import Settings

ENGINES = [ReferenceEngine, CoreEngine]


def make(engine, **changes):
    program = small_program()
    settings = Settings(steps=9, lr=0.02, epsilon=0.02, directions=2, momentum=0.9, **changes)
    return engine(program, plan_training(program, range(8), settings)), Batch.of(*samples(program, 7))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trial_on_some_rows_is_one_on_a_batch_of_them(engine):
    one, batch = make(engine)
    trials = [
        Trial((Move(1, -1),), slice(2, None, 3)),
        PLAIN,
        Trial(rows=slice(1, 4)),
        *both_sides(7, 2, True),
    ]
    alone = [
        one.losses(3, Batch.of(batch.x[trial.rows], batch.y[trial.rows]), [Trial(trial.moves)])[0]
        for trial in trials
    ]
    assert one.losses(3, batch, trials) == alone


@pytest.mark.parametrize("perturbation", ["exact", "paper"])
def test_moves_of_a_trial_add_up(perturbation):
    one, batch = make(ReferenceEngine, perturbation=perturbation)
    twice, both, back = [
        Trial(moves) for moves in ((Move(0, 2),), (Move(0, 1), Move(0, 1)), (Move(0, 1), Move(0, -1)))
    ]
    losses = one.losses(0, batch, [twice, both, back, Trial((Move(0, 0),)), Trial((Move(0, 1),))])
    assert losses[0] == losses[1] != losses[4]
    assert losses[2] == losses[3] != losses[4]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_brings_back_weights_and_momentum(engine):
    one, _ = make(engine)
    one.update(0, [1, -1])
    kept = one.snapshot()
    one.update(1, [1, 1])
    after = one.snapshot()
    assert after.weights != kept.weights and after.state != kept.state
    one.restore(kept)
    assert one.snapshot() == kept
    one.update(1, [1, 1])
    assert one.snapshot() == after


def test_engines_take_each_others_snapshots():
    first, second = (make(engine)[0] for engine in ENGINES)
    first.update(0, [1, -1])
    second.restore(first.snapshot())
    for engine in (first, second):
        engine.update(1, [-1, 1])
    assert first.snapshot() == second.snapshot()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_without_state_starts_the_optimizer_again(engine):
    one, fresh = make(engine)[0], make(engine)[0]
    one.update(0, [1, 1])
    one.restore(Snapshot(fresh.snapshot().weights))
    assert one.snapshot() == fresh.snapshot()


def test_a_batch_names_what_it_lacks():
    with pytest.raises(StepforwardError, match=r"a batch with 0 targets \(none\) where one is wanted"):
        _ = Batch.of(np.zeros(3)).y
