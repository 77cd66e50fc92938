"""Timing calls side by side: A B C, B C A, ... so that whatever the machine does meanwhile meets all of them.

The order turns from round to round, so that no call always follows the same neighbour. Rounds in which other programs
took part of the machine are set aside as long as there are quieter ones.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stepforward.bench.others import Others

SHORTEST_BURST = 0.02
"""Seconds a call is repeated for within a round: timers and caches settle."""

PAUSE = 0.01
"""Seconds between calls: worker threads of the last one stop waiting busily."""

FEWEST_ROUNDS = 3

QUIET = 0.1
"""Share of the machine that other programs may take in a round that counts."""

PATIENCE = 1.5
"""Times the budget that are spent at most when rounds are not quiet."""


class Timing(NamedTuple):
    """Seconds per call (median, quartiles), rounds that counted, share of the machine that others took in them."""

    median: float
    low: float
    high: float
    rounds: int
    others: float


class Round(NamedTuple):
    """Share of the machine that others took, and seconds per call of each of the calls."""

    others: float
    seconds: dict[str, float]


def interleave(
    calls: Mapping[str, Callable[[], object]], seconds: float, most_rounds: int = 25
) -> dict[str, Timing]:
    """Time every call in turn; medians over the rounds of `measure`, which takes the same arguments."""
    kept = measure(calls, seconds, most_rounds)
    share = statistics.fmean(row.others for row in kept)
    return {name: _summary([row.seconds[name] for row in kept], share) for name in calls}


def measure(calls: Mapping[str, Callable[[], object]], seconds: float, most_rounds: int = 25) -> list[Round]:
    """Time every call in turn, again and again, until the seconds are used up (three rounds at least).

    Args:
        calls: name -> call without arguments. Each is called twice first, unmeasured.
        seconds: budget for all calls together, when the machine is quiet.
        most_rounds: enough, even if time is left.

    Returns:
        The rounds that count: a ratio of two calls is best taken within each of them.
    """
    started = time.perf_counter()
    rounds: list[Round] = []
    repeats = {name: _repeats(call) for name, call in calls.items()}
    others = Others()
    while not _enough(rounds, time.perf_counter() - started, seconds, most_rounds):
        turn, times = len(rounds) % len(calls), {}
        for name in [*calls][turn:] + [*calls][:turn]:
            time.sleep(PAUSE)
            times[name] = _burst(calls[name], repeats[name])
        rounds.append(Round(others.share(), times))
    return _quietest(rounds)


def shares(rounds: Sequence[Round], name: str, reference: str) -> tuple[float, float, float]:
    """Quartiles (low, median, high) of one call's time over another's, each taken within a round."""
    values = [row.seconds[name] / row.seconds[reference] for row in rounds]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def _enough(rounds, spent, seconds, most):
    quiet = sum(row.others <= QUIET for row in rounds)
    if len(rounds) < FEWEST_ROUNDS:
        return False
    return quiet >= most or spent > (seconds if quiet >= FEWEST_ROUNDS else PATIENCE * seconds)


def _quietest(rounds):
    """The quiet rounds; the three quietest if there are fewer."""
    ranked = sorted(rounds, key=lambda row: row.others)
    quiet = sum(row.others <= QUIET for row in ranked)
    return ranked[: max(quiet, FEWEST_ROUNDS)]


def _repeats(call):
    call()
    return max(1, round(SHORTEST_BURST / max(_burst(call, 1), 1e-7)))


def _burst(call, repeats):
    """Seconds per call; a short call runs once before, to find its data in the caches again."""
    if repeats > 1:
        call()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _summary(values, others):
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high, len(values), others)
