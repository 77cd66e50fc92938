"""Makes the scripts in firmware/, and what these tests share, importable."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[2] / "firmware"), str(Path(__file__).parent)]


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("firmware")
