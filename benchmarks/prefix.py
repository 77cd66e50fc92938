"""What a run of the last layer gains where layers that stay are run once for every sample: time of a whole `adapt`
with and without, one thread, the better of three.

    python benchmarks/prefix.py

Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch].
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import table, write
from learning.tasks.table import make

import stepforward as sf
from stepforward.run import prefix

TASKS = {"speaker-lucas": 1000, "resnet8-contrast-5": 100}
"""Steps of each."""

HEADS = {
    "votes": {},
    "exact tail": {"sizes": "relative", "votes": "graded", "directions": 16, "tail": "exact"},
}

HEADINGS = {
    "task": "task",
    "head": "head moves by",
    "steps": "steps",
    "without": "in every step, s",
    "with": "once, s",
    "ratio": "ratio",
}


def timed(task, steps: int, most: int, settings: dict) -> tuple[float, str]:
    """Seconds, and the hash of the weights."""
    prefix.MOST_BYTES, base = most, task.base()
    started = time.monotonic()
    result = sf.adapt(base, task.data, train="head", steps=steps, threads=1, progress=False, **settings)
    return time.monotonic() - started, result["weights_sha256"]


def main() -> None:
    """All tasks."""
    most, rows = prefix.MOST_BYTES, []
    for name, steps in TASKS.items():
        task = make(name)
        for head, settings in HEADS.items():
            runs = {limit: [timed(task, steps, limit, settings) for _ in range(3)] for limit in (0, most)}
            assert len({sha256 for of in runs.values() for _, sha256 in of}) == 1
            without, once = (min(of) for of in runs.values())
            rows.append(
                {
                    "task": name,
                    "head": head,
                    "steps": steps,
                    "without": round(without[0], 2),
                    "with": round(once[0], 2),
                    "ratio": round(without[0] / once[0], 1),
                }
            )
            print(rows[-1], flush=True)
    print(table(rows, HEADINGS))
    write("prefix", {"table": rows})


if __name__ == "__main__":
    main()
