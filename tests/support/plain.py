"""The first release's settings, for tests that look at one thing: signs, absolute sizes, votes for every layer."""

from typing import Any

from stepforward.presets import PRESETS, with_preset
from stepforward.settings import Settings

_OWN = ("method", "bits", "steps", "balance")

PLAIN = {name: value for name, value in PRESETS["first-release"].items() if name not in _OWN}


def plain(**given: Any) -> Settings:
    """Those settings with the given ones in place of theirs."""
    own = with_preset("first-release", given)
    return Settings(**{name: value for name, value in own.items() if name not in _OWN or name in given})
