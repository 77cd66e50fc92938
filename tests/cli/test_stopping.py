"""A stopped run resumes to the same weights; a reader that goes away is no crash."""

import os
import signal
import subprocess
import sys

import pytest

STEPS = ("--steps", "2000", "--directions", "4", "--lr", "0.001", "--evaluate-every", "100")
PROGRAM = "import sys; from stepforward.cli.main import main; sys.exit(main())"


def start(*words, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, *(str(word) for word in words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="session")
def uninterrupted(task, tmp_path_factory) -> str:
    """The weights of a run that nobody stopped."""
    from stepforward.verbs.adapt import adapt

    options = {"steps": 2000, "directions": 4, "lr": 0.001, "evaluate_every": 100}
    return adapt(task.model, task.data, out=tmp_path_factory.mktemp("whole") / "run", **options)[
        "weights_sha256"
    ]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_resumes_to_the_same_weights(run_json, task, tmp_path, uninterrupted, stop):
    words = ("adapt", task.model, "--data", task.data, *STEPS, "--out", tmp_path / "run")
    process = start(*words)
    assert "step 1/2000" in process.stderr.readline()
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert "nothing is lost" in err
        assert f"--out {tmp_path / 'run'} --resume" in err
        assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "run" / "result.json").exists(), "the run was stopped before its end"
    code, result = run_json(*words, "--resume")
    assert code == 0
    assert result["weights_sha256"] == uninterrupted


def test_a_reader_that_goes_away(task):
    process = start("evaluate", task.model, "--data", task.test)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in err
    assert "Exception" not in err


def test_ctrl_c_in_a_command_without_a_run(task, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\ndef prepare(path):\n    print('reading', flush=True)\n    time.sleep(60)\n"
    )
    words = ("evaluate", task.model, "--data", task.test, "--preprocess", "slow:prepare", "--json")
    process = start(*words, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert "reading" in process.stderr.readline()  # what others print goes there with --json
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.count("\n") == 1
    assert "Traceback" not in err
