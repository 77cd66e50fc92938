"""What several test packages share."""

import functools
import os

import pytest

ONE_OF_SEVERAL = "PYTEST_XDIST_WORKER" in os.environ
if ONE_OF_SEVERAL:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=ONE_OF_SEVERAL)
def one_processor(monkeypatch):
    """Where several processes run tests, each has a processor: more threads than a test asks for would only wait."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
    """Files reach the disk when the system likes: what waiting for it protects from, a loss of power, no test has."""
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def drawn():
    """For tests that look at a report's plots."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Elsewhere a report has no plots, which take several times as long as a small run."""
    if (
        "drawn" not in request.fixturenames and "conformance" not in request.path.parts
    ):  # which has no reports
        monkeypatch.setattr("stepforward.report.curve.curve", lambda result, colours: None)


@pytest.fixture(scope="session")
def exported():
    """exported(name): a network of tests/support/networks.py as torch exports it, once per session."""
    networks = pytest.importorskip("networks")
    from stepforward.sources.torch import from_torch

    return functools.cache(lambda name: from_torch(networks.build(name), networks.sample(name, 2)))
