"""What benchmarks of forward passes share: their options, and calls that take turns as rows of a table."""

import argparse
from collections.abc import Callable, Collection, Mapping
from typing import Any

from stepforward.bench.timing import interleave


def asked(words: str | None, names: Collection[str], seconds: float) -> argparse.Namespace:
    """Options of the command: which networks, how many threads, how long.

    Args:
        words: of the script.
        names: of its networks, all of them where none is named.
        seconds: for the calls of one network and number of threads together, unless they are given.
    """
    arguments = argparse.ArgumentParser(
        description=words, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", nargs="+", default=list(names), choices=list(names))
    arguments.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    arguments.add_argument("--seconds", type=float, default=seconds)
    return arguments.parse_args()


def rows(
    calls: Mapping[str, Callable[[], object]],
    ours: Mapping[str, str],
    batch: int,
    seconds: float,
    digits: int,
    **facts: Any,
) -> list[dict[str, Any]]:
    """Milliseconds of a sample, and how often ours fit into a peer's time.

    Args:
        calls: by name, each of one batch.
        ours: column -> the call of ours that it compares with.
        batch: samples of a call.
        seconds: for all of them together.
        digits: of the milliseconds.
        facts: of every row.
    """
    timed = interleave(calls, seconds)
    return [
        {
            **facts,
            "peer": name,
            "milliseconds": round(1000 * timing.median / batch, digits),
            **{column: round(timing.median / timed[own].median, 2) for column, own in ours.items()},
            "others": round(timing.others, 2),
        }
        for name, timing in timed.items()
    ]
