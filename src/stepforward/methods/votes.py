"""The update rule of every integer method: the engine's own, which takes one vote from -128 to 127 per direction.

Its momentum, its schedule and its rounding belong to the engine's training plan (contract, section 8).
"""

from collections.abc import Sequence
from typing import Any

from stepforward.engines.protocol import Engine
from stepforward.methods.protocol import Rule, stateless


def _step(state: Any, engine: Engine, number: int, votes: Sequence[int]) -> Any:
    engine.update(number, votes)
    return state


VOTES: Rule[Engine, Sequence[int]] = Rule(stateless, _step)
