import errno
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepforward import journal as journals
from stepforward.errors import StepforwardError

SETTINGS = {"base_sha256": "00", "steps": 500}


def write(path, votes, directions, evaluate_every=100):
    writer = journals.JournalWriter.create(path, SETTINGS, directions)
    for step, vote in enumerate(votes, 1):
        writer.votes(vote)
        if step % evaluate_every == 0:
            writer.evaluation(step % 7, -step)
    return writer


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 150), st.sampled_from([1, 2, 127]), st.data())
def test_votes_come_back(tmp_path_factory, directions, steps, largest, data):
    vote = st.integers(-largest, largest)
    votes = data.draw(st.lists(st.tuples(*[vote] * directions), min_size=steps, max_size=steps))
    path = tmp_path_factory.mktemp("journal") / "journal"
    writer = write(path, votes, directions)
    writer.end(steps, "early stop")
    writer.close()
    journal = journals.read(path)
    assert list(map(tuple, journal.votes.tolist())) == votes
    assert [e.step for e in journal.evaluations] == list(range(100, steps + 1, 100))
    assert (journal.kept, journal.reason, journal.torn_bytes) == (steps, "early stop", 0)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-24, 24), st.integers(-24, 24)), min_size=1, max_size=150),
    st.integers(2, 2**55),
)
def test_graded_votes_come_back_with_a_scale_after_every_record(tmp_path_factory, votes, scale):
    path = tmp_path_factory.mktemp("journal") / "journal"
    writer = journals.JournalWriter.create(path, SETTINGS, 2)
    for step, vote in enumerate(votes):
        writer.votes(vote, scale - step % 2)
    writer.end(len(votes), "all steps done")
    writer.close()
    journal = journals.read(path)
    assert list(map(tuple, journal.votes.tolist())) == votes
    assert set(journal.scales) == {*range(64, len(votes), 64), len(votes)}


@pytest.mark.parametrize(("votes", "scale"), [((25, 0), 9), ((-32, 0), 9), ((1, 1), 2**56)])
def test_graded_votes_that_no_step_gives_are_refused(votes, scale):
    kind, count, payload = journals.votes_record([votes], scale)
    body = bytes([kind, count]) + payload
    head = journals.header(SETTINGS, 2)
    check = zlib.crc32(body, struct.unpack("<I", head[-4:])[0])
    with pytest.raises(StepforwardError, match=r"(no|any) step gives"):
        journals.parse(head + body + struct.pack("<I", check))


@pytest.mark.parametrize("start", [struct.pack("<4sHH", b"SFJ1", 1, 1), struct.pack("<4sHH", b"SFJ3", 3, 1)])
def test_a_journal_of_another_version_is_refused(start):
    with pytest.raises(StepforwardError, match="has format version"):
        journals.parse(start + bytes(40))


def test_graded_votes_take_six_bits_each():
    kind, count, payload = journals.votes_record([(24, -24, 0, 1)] * 64, 5000)
    assert (kind, count, len(payload)) == (journals.GRADED, 64, 64 * 3 + 8)


@pytest.mark.parametrize("step", [0, 3, 2**32 - 1])
def test_parameters_of_a_step_that_was_not_taken_are_refused(tmp_path, step):
    writer = write(tmp_path / "journal", [(1,)] * 2, 1)
    writer.parameters(journals.Parameters(2, b"abcd"))
    assert journals.read(tmp_path / "journal").parameters == (journals.Parameters(2, b"abcd"),)
    writer.parameters(journals.Parameters(step, b"abcd"))
    writer.close()
    with pytest.raises(StepforwardError, match=f"parameters of step {step} after step 2"):
        journals.read(tmp_path / "journal")


def test_two_thousand_steps_take_less_than_a_kibibyte(tmp_path):
    writer = write(tmp_path / "journal", [(1,), (-1,)] * 1000, 1)
    writer.end(2000, "all steps done")
    writer.close()
    header = len(journals.header(SETTINGS, 1))
    assert os.path.getsize(tmp_path / "journal") - header < 1024


def test_a_run_cut_off_anywhere_goes_on_to_the_same_bytes(tmp_path):
    votes = [((-1) ** (step * step // 3),) for step in range(250)]
    writer = write(tmp_path / "whole", votes, 1)
    writer.end(200, "all steps done")
    writer.close()
    whole = (tmp_path / "whole").read_bytes()
    start = len(journals.header(SETTINGS, 1))
    for length in range(start, len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:length])
        recorded = journals.read(path)
        resumed = journals.JournalWriter.resume(path, recorded)
        evaluated = {e.step for e in recorded.evaluations}
        for step in range(1, 251):
            if step > len(recorded.votes):
                resumed.votes(votes[step - 1])
            if step % 100 == 0 and step not in evaluated:
                resumed.evaluation(step % 7, -step)
        if recorded.kept is None:
            resumed.end(200, "all steps done")
        resumed.close()
        assert path.read_bytes() == whole


def test_a_changed_byte_is_noticed(tmp_path):
    writer = write(tmp_path / "journal", [(1,)] * 130, 1)
    writer.close()
    content = (tmp_path / "journal").read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x10
        try:
            journal = journals.parse(bytes(changed))
        except StepforwardError:
            continue
        # the only change that passes makes the last record look longer than the file: the same as torn
        assert journal.torn_bytes > 0 and len(journal.votes) < 128


def test_removed_and_swapped_records_are_noticed(tmp_path):
    writer = write(tmp_path / "journal", [(1,)] * 192, 1, evaluate_every=1000)
    writer.close()
    content = (tmp_path / "journal").read_bytes()
    start = len(journals.header(SETTINGS, 1))
    size = (len(content) - start) // 3
    a, b, c = (content[start + i * size : start + (i + 1) * size] for i in range(3))
    for order in (b + c, a + c, b + a + c):
        with pytest.raises(StepforwardError, match="damaged at byte"):
            journals.parse(content[:start] + order)


@pytest.mark.parametrize("content", [b"", b"hello", b"SFP2" + bytes(40)])
def test_other_files_are_refused(content):
    with pytest.raises(StepforwardError, match="not a stepforward journal"):
        journals.parse(content)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path, monkeypatch):
    writer = write(tmp_path / "journal", [(1,)] * 64, 1)
    before = (tmp_path / "journal").read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StepforwardError, match="No space left"):
        for _ in range(64):
            writer.votes((1,))
    writer.close()
    assert (tmp_path / "journal").read_bytes().startswith(before)
    assert len(journals.read(tmp_path / "journal").votes) >= 64


def test_two_processes_never_write_one_journal(tmp_path):
    writer = write(tmp_path / "journal", [(1,)] * 70, 1)
    recorded = journals.read(tmp_path / "journal")
    before = (tmp_path / "journal").read_bytes()
    with pytest.raises(StepforwardError, match="another process"):
        journals.JournalWriter.resume(tmp_path / "journal", recorded)
    with pytest.raises(StepforwardError, match="another process"):
        journals.JournalWriter.create(tmp_path / "journal", SETTINGS, 1)
    assert (tmp_path / "journal").read_bytes() == before
    writer.close()
    journals.JournalWriter.resume(tmp_path / "journal", recorded).close()


def test_a_journal_is_there_with_its_whole_header_or_not_at_all(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StepforwardError, match="No space left"):
            journals.JournalWriter.create(tmp_path / "journal", SETTINGS, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_permission_is_named(tmp_path):
    (tmp_path / "journal").mkdir()
    with pytest.raises(StepforwardError, match="journal"):
        journals.JournalWriter(tmp_path / "journal", 1, 0, 0)


def test_well_formed_nonsense_is_damage(tmp_path):
    def file(text: bytes, kept: int = 0, reason: int = 0) -> bytes:
        body = struct.pack("<4sHHI", b"SFJ2", 2, 1, len(text)) + text
        check = zlib.crc32(body)
        end = struct.pack("<BBIB", journals.END, 0, kept, reason)
        return body + struct.pack("<I", check) + end + struct.pack("<I", zlib.crc32(end, check))

    assert journals.parse(file(b"{}")).kept == 0
    for content in (file(b"[1]"), file(b"{"), file(b"\xff\xfe"), file(b"{}", kept=5), file(b"{}", reason=9)):
        with pytest.raises(StepforwardError, match="damaged"):
            journals.parse(content)


def test_ctrl_c_while_a_record_is_synced_does_not_write_it_twice(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    votes = [(1,)] * (journals.STEPS_PER_RECORD - 1)
    writer = write(tmp_path / "journal", votes, 1)
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.votes((-1,))
    monkeypatch.undo()
    writer.flush()  # as a run does that is stopped
    writer.close()
    assert journals.read(tmp_path / "journal").votes.tolist() == [[1]] * len(votes) + [[-1]]


def test_weights_of_a_matched_operator_come_back(tmp_path):
    writer = journals.JournalWriter.create(tmp_path / "journal", {}, 1)
    ratio, bias, weights = np.array([1 << 14, 9000]), np.array([-7, 3]), np.array([[-128, 127], [0, 5]])
    writer.matching(journals.MatchedSite(2, ratio, bias, weights))
    writer.matching(journals.MatchedSite(3, ratio, bias))
    writer.close()
    first, second = journals.read(tmp_path / "journal").matching
    assert first.weights.tolist() == weights.ravel().tolist() and second.weights is None
    assert first.ratio.tolist() == ratio.tolist() and second.bias.tolist() == bias.tolist()


def test_weights_out_of_turn_are_refused(tmp_path):
    content = journals.header({}, 1)
    payload = struct.pack("<IIb", 2, 1, 5)
    added, _ = journals.record(journals.MIXED, 0, payload, zlib.crc32(content[:-4]))
    with pytest.raises(StepforwardError, match="weights of an operator out of turn"):
        journals.parse(content + added)
