"""Every example in the documents and docstrings is run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import stepforward

ROOT = Path(__file__).parent.parent
NEEDS_EXTRA = ("torch", "mezo", "networks", "ort", "peers", "workload", "split", "scaling", "quick", "full")
NEEDS_EXTRA += ("openvino", "litert", "tflite_draft")
MODULES = [
    info.name
    for info in pkgutil.walk_packages(stepforward.__path__, "stepforward.")
    if not info.name.endswith("_core") and info.name.rpartition(".")[2] not in NEEDS_EXTRA
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_document_examples(path):
    text = path.read_text(encoding="utf-8")
    if ">>>" in text:
        assert doctest.testfile(str(path), module_relative=False, encoding="utf-8").failed == 0
