"""Building and running firmware under QEMU."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
TOOLS = ("make", "arm-none-eabi-gcc", "arm-none-eabi-nm", "qemu-system-arm")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
NEEDS_TOOLS = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed; `make tools` installs them"
)
M4, M4_PLAIN, M55 = "CPU=cortex-m4", "PLAIN=1", "CPU=cortex-m55"


def make(build_folder, *arguments):
    """Output of `make` in the firmware's folder, everything built under `build_folder`."""
    command = [
        "make",
        "-s",
        "-C",
        str(FIRMWARE),
        f"BUILD={build_folder}",
        f"PYTHON={sys.executable}",
        *arguments,
    ]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
