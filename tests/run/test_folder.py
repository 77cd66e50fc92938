import json

import pytest
import stripes
from made_up_result import result
from small import small_program

from stepforward import files
from stepforward.errors import StepforwardError
from stepforward.run import folder as folders
from stepforward.run.training import CurveRow
from stepforward.sources.open import open_source


@pytest.fixture
def model():
    import onnx_ir as ir

    return open_source(ir.from_proto(stripes.network()))


def test_a_new_folder_is_not_made_before_it_is_needed(tmp_path):
    assert folders.run_folder(tmp_path / "a" / "b", resume=False) == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    assert folders.run_folder(None, resume=False) is None


@pytest.mark.parametrize("name", folders.FILES)
def test_nothing_that_lies_there_is_written_over(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(StepforwardError, match="already holds"):
        folders.run_folder(tmp_path, resume=False)


def test_resuming_needs_a_journal(tmp_path):
    for out in (None, tmp_path):
        with pytest.raises(StepforwardError, match="resume"):
            folders.run_folder(out, resume=True)
    (tmp_path / "journal").touch()
    assert folders.run_folder(tmp_path, resume=True) == tmp_path


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # tests may run as root, who may do anything
    with (
        pytest.raises(StepforwardError, match="cannot write into"),
        folders.claimed(tmp_path / "run", resume=False),
    ):
        pass


def test_a_folder_that_was_made_for_a_refused_run_is_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    for run in (tmp_path / "a" / "b", tmp_path / "mine"):
        with pytest.raises(ValueError), folders.claimed(run, resume=False):
            assert run.is_dir()
            raise ValueError
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]
    with folders.claimed(tmp_path / "a" / "b", resume=False):
        (tmp_path / "a" / "b" / "journal").touch()
    assert (tmp_path / "a" / "b" / "journal").exists()


def test_of_two_runs_in_one_folder_the_second_is_refused(tmp_path):
    with folders.claimed(tmp_path, resume=False):
        for resume, overwrite in ((False, False), (True, False), (False, True)):
            with (
                pytest.raises(StepforwardError, match="another process is running"),
                folders.claimed(tmp_path, resume, overwrite),
            ):
                pytest.fail("both run")
    with folders.claimed(tmp_path, resume=False):
        pass


def test_a_run_that_began_while_this_one_was_prepared_is_not_written_over(tmp_path):
    folder = folders.run_folder(tmp_path, resume=False)
    (tmp_path / "journal").touch()  # and that run has ended
    with pytest.raises(StepforwardError, match="already holds"), folders.claimed(folder, resume=False):
        pytest.fail("both run")


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    (tmp_path / ".journal.abc.tmp").touch()
    (tmp_path / ".adapted.onnx.xyz.tmp").touch()
    (tmp_path / "notes.tmp").touch()
    with folders.claimed(tmp_path, resume=False):
        assert [path.name for path in tmp_path.iterdir()] == ["notes.tmp"]


def test_replacing_a_run_removes_its_result_first(tmp_path, monkeypatch):
    for name in folders.FILES:
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    removed = []
    monkeypatch.setattr("pathlib.Path.unlink", lambda path, missing_ok: removed.append(path.name))
    folders.remove_run(tmp_path)
    assert {removed[0], removed[1]} == {"result.json", "journal"} and set(removed) == set(folders.FILES)


def test_the_result_comes_last_and_a_full_disk_points_to_resume(tmp_path, model, monkeypatch):
    (tmp_path / "journal").touch()
    written = []

    def full(path, content):
        if path.name == "report.html":
            raise StepforwardError(f"cannot write {path}: No space left on device", "free some disk space")
        written.append(path.name)
        files.write_atomically(path, content)

    for module in ("run.folder", "sources.onnx.file", "program.fileformat", "report.html"):
        monkeypatch.setattr(f"stepforward.{module}.write_atomically", full, raising=False)
    with pytest.raises(StepforwardError, match=r"report\.html") as caught:
        folders.write_run(tmp_path, result(), model, small_program())
    assert "--resume" in caught.value.remedy
    assert written == ["adapted.onnx", "adapted.sfp"]
    assert not (tmp_path / "result.json").exists()


def test_figures_of_an_earlier_process(tmp_path):
    figures = {"seconds": 2.5, "steps_per_second": 4.0, "forward_passes": 12, "curve": []}
    kept = {**figures, "curve": ()}
    assert folders.earlier_figures(tmp_path, "ab") == {}
    (tmp_path / "result.json").write_text(json.dumps({"weights_sha256": "ab", "kept": "x", **figures}))
    assert folders.earlier_figures(tmp_path, "ab") == kept
    assert folders.earlier_figures(tmp_path, "cd") == {}
    for damaged in ("", "[]", '{"weights_sha256": "ab"}', "{"):
        (tmp_path / "result.json").write_text(damaged)
        assert folders.earlier_figures(tmp_path, "ab") == {}


ROW = {"step": 1, "train_loss": None, "validation_loss": 0.5, "validation_accuracy": 1}
FIGURES = {"seconds": 2.5, "steps_per_second": 4, "forward_passes": 10, "curve": [ROW]}


def test_figures_of_the_process_that_trained_are_kept(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({**FIGURES, "weights_sha256": "ab", "more": 1}))
    assert folders.earlier_figures(tmp_path, "ab") == {**FIGURES, "curve": (CurveRow(**ROW),)}
    assert folders.earlier_figures(tmp_path, "cd") == {}
    assert folders.earlier_figures(tmp_path / "none", "ab") == {}


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"curve": curve}
            for curve in (7, [1], [[ROW]], [{}], [{**ROW, "step": None}], [{**ROW, "more": 1}])
        ),
        *({"seconds": value} for value in ("x", None, True, [], 10**400)),
        {"curve": [{**ROW, "train_loss": "0.5"}]},
    ],
)
def test_a_result_that_no_run_wrote_is_not_taken_over(tmp_path, changes):
    (tmp_path / "result.json").write_text(json.dumps({**FIGURES, "weights_sha256": "ab", **changes}))
    assert folders.earlier_figures(tmp_path, "ab") == {}


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff", b"[]", b"", b'{"seconds": NaN}'])
def test_a_result_that_is_no_json_object(tmp_path, text):
    (tmp_path / "result.json").write_bytes(text)
    assert folders.earlier_figures(tmp_path, "ab") == {}
