"""The page of what is supported is what the code says now."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs stepforward[torch]")

from stepforward.operators.table import OPERATORS

ROOT = Path(__file__).parent.parent.parent
spec = importlib.util.spec_from_file_location("make_support", ROOT / "tools" / "make_support.py")
make_support = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_support)


def test_every_operator_has_a_sample_that_the_core_opens():
    for kind in OPERATORS:
        assert len(make_support.first_formats(kind)) == make_support.SAMPLES[kind.kind].inputs


def test_the_page_is_up_to_date():
    assert make_support.PAGE.read_text() == make_support.page(), "run: python tools/make_support.py"
