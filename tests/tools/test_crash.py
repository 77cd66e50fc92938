"""Some of the cases of tools/crash: kills, full and broken disks, Ctrl-C, and what resuming makes of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = Path(__file__).parents[2] / "tools" / "crash" / "crash.py"


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_disturbed_run_resumes_to_the_same_weights():
    words = [sys.executable, CRASH, "--every", "23", "--random", "1"]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count(" 0 wrong") == 5
