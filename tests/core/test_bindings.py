"""Which shared library is the core."""

import os
import subprocess
import sys

LOAD = "from stepforward.core.bindings import library; print(library()._name)"


def load(path):
    environment = os.environ | {"STEPFORWARD_CORE": str(path)}
    return subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=environment)


def test_another_build_of_the_core_can_be_named():
    from stepforward.core.bindings import library

    assert load(library()._name).stdout.strip() == library()._name


def test_a_core_that_is_not_there_is_named(tmp_path):
    done = load(tmp_path / "core.so")
    assert done.returncode == 1
    assert f"the C core {tmp_path / 'core.so'} cannot be loaded" in done.stderr
