"""What each member of the paper's family brings next to the same settings without it: a table for docs/fewer-passes.md.

    python benchmarks/learning/family.py benchmarks/results/family.json

The rows are made with run.py, whose command the page has; the first method of the file that ends with -base is compared
with all others, in pairs of the same task and seed.
"""

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from learning import rows
from learning.tables import T95


def main() -> None:
    """Print the table."""
    found = rows.read(Path(sys.argv[1])).values()
    methods = sorted({row["method"] for row in found}, key=lambda name: (not name.endswith("-base"), name))
    tasks = sorted({row["task"] for row in found})
    table = {(row["method"], row["task"], row["seed"]): row for row in found}
    print("| settings besides | " + " | ".join(tasks) + " | difference to the first row | forward passes |")
    print("| --- " * (len(tasks) + 3) + "|")
    for method in methods:
        own = {key[1:]: row for key, row in table.items() if key[0] == method}
        means = [[row["adapted"] for (at, _), row in own.items() if at == task] for task in tasks]
        cells = [f"{100 * statistics.mean(some):.1f}" if some else "" for some in means]
        pairs = [
            100 * (row["adapted"] - table[methods[0], *key]["adapted"])
            for key, row in own.items()
            if (methods[0], *key) in table
        ]
        passes = statistics.median(row["forward_passes"] for row in own.values())
        print(f"| {_words(own)} | {' | '.join(cells)} | {_difference(pairs)} | {passes:,.0f} |")


def _words(own: dict) -> str:
    settings = next(iter(own.values()))["settings"]
    base = ("sizes", "votes", "directions", "steps", "tail")
    words = [f"`{name}={value}`" for name, value in settings.items() if name not in base]
    return " ".join(words) or "none"


def _difference(pairs: list[float]) -> str:
    if not any(pairs) or len(pairs) < 2:
        return ""
    half = T95[len(pairs)] * statistics.stdev(pairs) / len(pairs) ** 0.5
    return f"{statistics.mean(pairs):+.1f} ± {half:.1f} ({len(pairs)} pairs)"


if __name__ == "__main__":
    main()
