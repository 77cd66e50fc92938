"""The point next to a journal from which a run with an exact tail is resumed."""

import shutil

import pytest
import stripes

from stepforward import journal as journals
from stepforward.run.resume_point import RESUME
from stepforward.verbs.adapt import adapt
from stepforward.verbs.quantize import quantize

DATA = tuple(stripes.arrays(range(8)).values())
OPTIONS = {"steps": 60, "tail": "exact", "evaluate_every": 10, "lr": 4e-3, "directions": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("point")
    (folder / "float.onnx").write_bytes(stripes.network().SerializeToString())
    quantize(folder / "float.onnx", DATA, out=folder / "base.onnx", bits="16w8a")
    return folder / "base.onnx"


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, adapt(base, DATA, out=folder, **OPTIONS)


def stopped(base, folder, step, **options):
    """A run that Ctrl-C ends after a step."""

    def interrupt(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(base, DATA, out=folder, on_progress=interrupt, **OPTIONS | options)


def resumed(base, folder):
    """The result of the resumed run, and the steps that it computed."""
    taken = []
    result = adapt(
        base,
        DATA,
        out=folder,
        resume=True,
        on_progress=lambda progress: taken.append(progress.step),
        **OPTIONS,
    )
    return result, taken


@pytest.mark.parametrize("step", [4, 10, 27, 59])
def test_a_run_is_resumed_from_its_last_validation_to_the_same_bytes(base, whole, tmp_path, step):
    folder, result = whole
    stopped(base, tmp_path / "run", step)
    again, taken = resumed(base, tmp_path / "run")
    assert taken[0] == step // 10 * 10 + 1
    assert again["weights_sha256"] == result["weights_sha256"]
    assert (tmp_path / "run" / "journal").read_bytes() == (folder / "journal").read_bytes()


def test_a_run_that_has_ended_keeps_no_point_and_one_tail(whole):
    folder, result = whole
    assert not (folder / RESUME).exists()
    kept = [parameters.step for parameters in journals.read(folder / "journal").parameters]
    assert kept == [result["kept_step"]]


def test_the_end_alone_is_written_again_where_it_was_lost(base, whole, tmp_path):
    """Killed between the last validation and the end: nothing is computed again."""
    folder, _ = whole
    content = (folder / "journal").read_bytes()
    stopped(base, tmp_path / "run", 60)
    (tmp_path / "run" / "journal").write_bytes(content[:-3])
    assert resumed(base, tmp_path / "run")[1] == []
    assert (tmp_path / "run" / "journal").read_bytes() == content


def broken(content):
    """Points that are not as they were written; None: there is none."""
    return {
        "missing": None,
        "empty": b"",
        "cut short": content[:-1],
        "changed": content[:40] + bytes([content[40] ^ 1]) + content[41:],
        "longer": content + b"\0",
        "of no length": bytes(8) + content[8:],
        "of another length": (2**63).to_bytes(8, "little") + content[8:],
        "between two records": (int.from_bytes(content[:8], "little") - 1).to_bytes(8, "little")
        + content[8:],
        "without parameters": content[:8],
    }


@pytest.mark.parametrize("how", [*broken(bytes([9] * 50)), "of another run", "ahead of the journal"])
def test_a_point_that_does_not_follow_from_the_journal_begins_at_the_first_step(base, whole, tmp_path, how):
    folder, _ = whole
    run = tmp_path / "run"
    stopped(base, run, 27)
    if how == "of another run":
        stopped(base, tmp_path / "other", 27, seed=5)
        shutil.copy(tmp_path / "other" / RESUME, run / RESUME)
    elif how == "ahead of the journal":
        content = (run / "journal").read_bytes()
        (run / "journal").write_bytes(content[: journals.parse(content).begun[0] + 10])
    elif (content := broken((run / RESUME).read_bytes())[how]) is None:
        (run / RESUME).unlink()
    else:
        (run / RESUME).write_bytes(content)
    assert resumed(base, run)[1][0] == 1
    assert (run / "journal").read_bytes() == (folder / "journal").read_bytes()
