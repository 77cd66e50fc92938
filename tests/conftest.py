"""What several test packages share."""

import functools

import pytest


@pytest.fixture(scope="session")
def exported():
    """exported(name): a network of tests/support/networks.py as torch exports it, once per session."""
    networks = pytest.importorskip("networks")
    from stepforward.sources.torch import from_torch

    return functools.cache(lambda name: from_torch(networks.build(name), networks.sample(name, 2)))
