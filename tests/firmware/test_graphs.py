"""Random networks trained on emulated processors give the definition's integers: a Cortex-M4 with and without its DSP
instructions, a Cortex-M55 with Helium, and AArch64 with NEON, in the way of a device and with the host's kernels."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from emulated import M4, M4_PLAIN, M55, NEEDS_TOOLS, make
from graph_file import expected, graph_file
from random_networks import CYCLE, random_case

from stepforward.engines.core import device_scratch_bytes

CORE = Path(__file__).parents[2] / "src" / "stepforward" / "core"
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ON_A_BOARD, ELSEWHERE = 36, 90
"""Numbers prime to a cycle, as far apart as they may be, meet every choice of it in turn."""
APART = 7 * 11
RAM, FLASH = 150_000, 600_000


@cache
def cases(count):
    return [random_case(number * APART % CYCLE) for number in range(count)]


def small(case):
    """Whether a board holds it: its file in flash, and in RAM what it moves."""
    return device_scratch_bytes(case.program) + case.plan.state_bytes + len(case.program.weights) < RAM


@NEEDS_TOOLS
@pytest.mark.parametrize("build", [M4, M4_PLAIN, M55])
def test_random_networks_train_on_a_board_to_the_definitions_integers(build, build_folder, tmp_path):
    chosen = [case for case in cases(ON_A_BOARD) if small(case)]
    while len(graph_file(chosen)) > FLASH:
        chosen.remove(max(chosen, key=lambda case: len(case.program.weights)))
    assert len(chosen) > ON_A_BOARD * 3 // 4
    (tmp_path / "graphs.bin").write_bytes(graph_file(chosen))
    lines = make(build_folder, "graphs", build, f"GRAPHS={tmp_path / 'graphs.bin'}").splitlines()
    assert lines == expected(chosen, ["device"])


@pytest.mark.skipif(
    shutil.which(CROSS) is None or shutil.which(EMULATOR) is None,
    reason=f"{CROSS} or {EMULATOR} not installed; `make tools` installs them",
)
def test_random_networks_train_on_aarch64_to_the_definitions_integers(tmp_path):
    chosen = cases(ELSEWHERE)
    (tmp_path / "graphs.bin").write_bytes(graph_file(chosen))
    make_core = ["make", "-s", "-C", str(CORE), f"PYTHON={sys.executable}", "graphs-aarch64"]
    done = subprocess.run(
        [*make_core, f"GRAPHS={tmp_path / 'graphs.bin'}"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.splitlines() == expected(chosen, ["device", "host"])
