"""What happens where the output cannot be printed, and where a command is stopped before it has begun."""

import os
import subprocess
import sys

import pytest

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full")


def command(*words, code=None, **streams) -> subprocess.CompletedProcess:
    start = ["-m", "stepforward"] if code is None else ["-c", code]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run([sys.executable, *start, *map(str, words)], text=True, timeout=60, **streams)


def test_python_dash_m():
    done = command("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "stepforward")


@needs_full
@pytest.mark.parametrize("words", [["check"], ["check", "--json"], ["--help"], ["--version"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_stdout_is_one_line(task, words, unbuffered):
    with open(FULL, "w") as full:
        given = words if words[0] != "check" else [*words, task.model]
        done = command(*given, stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 2
    assert done.stderr.startswith("stepforward: cannot print: No space left")
    assert len(done.stderr.splitlines()) == 2


@needs_full
def test_nothing_can_be_said_where_both_streams_are_full(task):
    with open(FULL, "w") as full:
        assert command("check", task.model, stdout=full, stderr=full).returncode == 2


STOP_AT = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from stepforward.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["typer", "stepforward.settings", "stepforward.cli.main"])
def test_ctrl_c_before_the_command_has_begun_is_quiet(task, module):
    done = command("check", task.model, code=STOP_AT.format(name=module))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("module", ["numpy", "onnx", "stepforward.sources.open"])
def test_ctrl_c_while_a_command_imports_is_one_message(task, module):
    done = command("check", task.model, code=STOP_AT.format(name=module))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("stepforward: stopped")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--debug", "check", "no.onnx"), ("check", "no.onnx", "--debug")])
def test_debug_shows_the_traceback_of_an_error(words):
    done = command(*words)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "stepforward: cannot find no.onnx" in done.stderr
    assert "Traceback" not in command(*(word for word in words if word != "--debug")).stderr


def test_an_error_in_a_script_ends_in_one_line_with_the_remedy():
    done = command(code="import stepforward as sf; sf.check('no.onnx')")
    last = done.stderr.splitlines()[-1]
    assert "cannot find no.onnx" in last
    assert "check the path" in last
