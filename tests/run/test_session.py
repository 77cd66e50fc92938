"""A session by itself: with a journal, without one, and after Ctrl-C."""

from dataclasses import replace

import pytest
from plain import plain
from small import samples, small_program

from stepforward import journal as journals
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.table import make
from stepforward.plan.make import plan_training
from stepforward.run.session import Session, Taken

SETTINGS = plain(steps=6, directions=2)


def started(writer=None, recorded=None, settings=SETTINGS):
    program = small_program()
    engine = ReferenceEngine(program, plan_training(program, range(8), settings))
    batch = Batch.of(*samples(program, 6))
    return Session(make(settings), engine, writer, recorded), lambda number: batch


def test_without_a_journal_the_steps_are_the_same(tmp_path):
    writer = journals.JournalWriter.create(tmp_path / "journal", {}, 2)
    found = []
    for session, batches in (started(), started(writer)):
        with session:
            found.append([session.step(number, batches) for number in range(6)])
            session.end(6, "all steps done")
    assert found[0] == found[1]
    assert journals.read(tmp_path / "journal").kept == 6


def test_ctrl_c_writes_the_steps_that_wait_and_the_next_session_repeats_them(tmp_path):
    path = tmp_path / "journal"
    session, batches = started(journals.JournalWriter.create(path, {}, 2))
    with pytest.raises(KeyboardInterrupt), session:
        for number in range(3):
            session.step(number, batches)
        raise KeyboardInterrupt
    recorded = journals.read(path)
    assert (len(recorded.votes), recorded.kept) == (3, None)
    again, _ = started(recorded=recorded)
    assert [again.step(number, batches) for number in range(3)] == [Taken(None, 0)] * 3
    assert again.engine.snapshot() == session.engine.snapshot()


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_graded_votes_resume_with_their_scale(tmp_path, momentum):
    graded = replace(SETTINGS, votes="graded", momentum=momentum)
    whole, batches = started(settings=graded)
    for number in range(6):
        whole.step(number, batches)
    path = tmp_path / "journal"
    cut, _ = started(journals.JournalWriter.create(path, {}, 2), settings=graded)
    with pytest.raises(KeyboardInterrupt), cut:
        for number in range(4):
            cut.step(number, batches)
        raise KeyboardInterrupt
    recorded = journals.read(path)
    assert recorded.scales == {4: cut.engine.vote_scale}
    again, _ = started(recorded=recorded, settings=graded)
    for number in range(6):
        again.step(number, batches)
    assert again.engine.snapshot() == whole.engine.snapshot()


def test_a_validation_is_judged_once_and_taken_from_the_journal(tmp_path):
    path = tmp_path / "journal"
    session, _ = started(journals.JournalWriter.create(path, {}, 2))
    with session:
        assert session.validation(0, lambda: (3, 70)) == (3, 70)
    again, _ = started(recorded=journals.read(path))
    assert again.validation(0, pytest.fail) == (3, 70)
