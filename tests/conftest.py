"""What several test packages share."""

import functools

import pytest

DRAWN = {"report", "cli", "digits"}
"""Tests that may look at a report's plots."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Elsewhere a report has no plots, which take several times as long as a small run."""
    if not DRAWN & set(request.path.parts):
        monkeypatch.setattr("stepforward.report.curve.curve", lambda result, colours: None)


@pytest.fixture(scope="session")
def exported():
    """exported(name): a network of tests/support/networks.py as torch exports it, once per session."""
    networks = pytest.importorskip("networks")
    from stepforward.sources.torch import from_torch

    return functools.cache(lambda name: from_torch(networks.build(name), networks.sample(name, 2)))
