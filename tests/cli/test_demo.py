import pytest

from stepforward.verbs import demo as demo_run


@pytest.fixture
def short(monkeypatch):
    """The demo, a few steps of it."""
    monkeypatch.setitem(demo_run.OPTIONS, "steps", 2)


def test_the_demo_runs_from_the_package_alone(drawn, run_json, run, short, tmp_path):
    code, result = run_json("demo")
    assert (code, result["out"], result["measured_on"]) == (0, "stepforward-demo", "test")
    assert result["samples"]["train"] + result["samples"]["validation"] == 100
    assert result["samples"]["test"] == 300
    assert not any("stepforward quantize" in note for note in result["notes"])
    page = (tmp_path / "stepforward-demo" / "report.html").read_text("utf-8")
    assert "300 test samples" in page
    code, answer = run_json("demo")
    assert code == 2
    assert "--overwrite" in answer["remedy"]
    assert run_json("demo", "--overwrite")[1]["weights_sha256"] == result["weights_sha256"]
    assert run("demo", "--overwrite", "--resume")[0] == 2


def test_the_recordings_can_be_written_as_folders(run_json, tmp_path):
    code, result = run_json("demo", "--export-clips", "clips")
    assert code == 0
    assert len(list((tmp_path / result["data"]).rglob("*.wav"))) == 100
    assert len(list((tmp_path / result["test"]).rglob("*.wav"))) == 300
    assert run_json("demo", "--export-clips", "clips")[0] == 2


def test_it_ends_with_three_commands_to_try(run, run_json, short, tmp_path):
    code, out, _ = run("demo")
    assert code == 0
    export, predict, check = [line.strip() for line in out.split("try next:")[1].splitlines() if line.strip()]
    assert run(*export.split()[-3:])[0] == 0
    words = predict[predict.index("predict") :].split()
    files = sorted(tmp_path.glob(words[-1]))
    code, result = run_json(*words[:-1], *files)
    assert (code, len(result["predictions"])) == (0, 30)
    assert " check " in check
