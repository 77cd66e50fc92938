"""What fuzzing found once, and a short run of every parser; `make fuzz` is the long one."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.parsers import MODULES, parser
from fuzz.trial import trial

CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").iterdir())
RUNS = {"onnx": 200, "graph": 200, "npz": 400, "tflite": 400, "ort": 400}
GIGABYTES = 8  # above what the tests hold: enough for every library, too little for a header that lies


@pytest.fixture(autouse=True)
def little_memory():
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + GIGABYTES * 2**30, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_found_is_read_or_refused_in_one_line(path):
    outcome, what = trial(parser(path.name.partition("-")[0]).read, path.read_bytes())
    assert outcome in ("read", "refused"), what


@pytest.mark.parametrize("name", MODULES)
def test_a_short_run_finds_nothing(name, tmp_path):
    if name == "tflite":
        pytest.importorskip("tflite", reason="needs stepforward[tflite]")
    words = ["-m", "fuzz", "--parser", name, "--runs", str(RUNS.get(name, 1000)), "--out", str(tmp_path)]
    tests = Path(__file__).parents[1]
    paths = {"PYTHONPATH": f"{tests}{os.pathsep}{tests / 'support'}"}
    done = subprocess.run(
        [sys.executable, *words], env=os.environ | paths, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 findings" in done.stdout
    assert list(tmp_path.iterdir()) == []
