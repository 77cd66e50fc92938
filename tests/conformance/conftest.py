"""What other levels of kernels than this machine's best take of these tests."""

from random_networks import THIRD

PARAMETRIZED = 12
"""A test of so many cases and more is one of combinations."""


def pytest_collection_modifyitems(config, items):
    """Of each test of combinations a third, chosen as that of the random networks: each choice is in it."""
    if THIRD is None:
        return
    cases = {}
    for item in items:
        if (
            hasattr(item, "callspec") and "part" not in item.callspec.params
        ):  # parts of the random networks choose
            cases.setdefault((item.path, item.originalname), []).append(item)
    left = {
        item
        for several in cases.values()
        if len(several) >= PARAMETRIZED
        for item in several
        if sum(item.callspec.indices.values()) % 3 != THIRD
    }
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=list(left))
