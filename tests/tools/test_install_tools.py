"""Tools that are missing are named, and nothing fails for want of them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "install_tools.sh"
PRESENT = ("sh", "uname", "cut", "sed", "cat", "mkdir", "tail", "id")


@pytest.fixture
def bare(tmp_path):
    """A PATH with a shell and little else; `clang` is added by a test that wants it."""
    for name in PRESENT:
        (tmp_path / name).symlink_to(shutil.which(name))
    return tmp_path


def said(path: Path, **variables: str) -> str:
    environment = os.environ | {"PATH": str(path), "CI": "", "STEPFORWARD_TOOLS": "no"} | variables
    done = subprocess.run(["sh", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_without_any_tool_all_are_named_and_the_tests_go_on(bare):
    words = said(bare).split()
    assert {"gcc-arm-none-eabi", "qemu-user", "clang", "libclang-rt-dev"} <= set(words)


def test_clang_without_its_sanitizers_needs_those_of_its_version(bare):
    (bare / "clang").write_text("#!/bin/sh\n[ $1 = -dumpversion ] && echo 15.0.7\n")
    (bare / "clang").chmod(0o755)
    assert {"clang", "libclang-rt-15-dev"} <= set(said(bare).split())


def test_a_compiler_that_works_is_not_asked_for(bare):
    (bare / "clang").write_text("#!/bin/sh\nexit 0\n")
    (bare / "clang").chmod(0o755)
    assert "clang" not in said(bare).split()
