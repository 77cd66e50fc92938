"""The tables of docs/fewer-passes.md, from the rows of benchmarks/results/family.json and family_before.json."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from learning.tables import T95
from learning.tasks.halves import TASKS

Row = dict[str, Any]
At = tuple[str, int]
"""A task and a seed."""

PLAIN = ("sizes", "votes", "directions", "steps", "tail")
"""Settings of the rows before, all of them alike."""

WORDS = {
    "prototype:as-drawn": "*prototype:* `distribution=rademacher`, directions as drawn",
    "prototype:orthogonal": "*prototype:* `distribution=rademacher`, directions of a step orthogonal",
    "prototype:salient-by-size": "*prototype:* `sparsity=0.9 mask=saliency`, slopes times the weights' sizes",
    "prototype:in-turn": "*prototype:* halves of the network in turn, the first one's passes shared",
}
CHOSEN = "prototype:chosen"


def made(now: dict | None, before: dict | None) -> dict[str, Callable[[], str]]:
    """Every table, by the name it has in the document."""
    rows = now["rows"] if now else []
    sets = sorted({row["train"] for row in rows} | {"all"})
    tables: dict[str, Callable[[], str]] = {
        f"family_{train.replace(':', '_')}": lambda train=train: family(
            [row for row in rows if row["train"] == train and row["method"] != CHOSEN], "ours:family-base"
        )
        for train in sets
    }
    tables["family_choices"] = lambda: choices([row for row in rows if row["method"] == CHOSEN])
    tables["family_before"] = lambda: family(before["rows"] if before else [], "ours:family-base")
    return tables


def family(rows: list[Row], base: str) -> str:
    """A row for each method, next to `base`; time is the processor's, over that of the same task and seed."""
    by: dict[str, dict[At, Row]] = {}
    for row in rows:
        by.setdefault(row["method"], {})[row["task"], row["seed"]] = row
    tasks = [name for name in TASKS if any(row["task"] == name for row in rows)]
    plain = by.pop(base, {})
    if not plain:
        return "Not measured yet."
    lines = [
        f"| settings besides | {' | '.join(tasks)} | difference | steps | passes | time |",
        "| --- " * (len(tasks) + 5) + "|",
    ]
    ordered = sorted(by.items(), key=lambda item: -_mean(item[1], plain, _gain))
    for method, own in [(base, plain), *ordered]:
        cells = [_accuracy(own.values(), task) for task in tasks]
        first = next(iter(own.values()))
        pairs = [100 * _gain(row, plain[at]) for at, row in own.items() if at in plain]
        said = "" if method == base else difference(pairs)
        passes = _mean(own, plain, lambda row, other: row["forward_passes"] / other["forward_passes"])
        time = _mean(own, plain, lambda row, other: row["cpu"] / other["cpu"])
        shown = "" if method in WORDS else f"{time:.2f}"
        line = [_words(method, first), *cells, said, f"{first['steps']:,}", f"{passes:.2f}", shown]
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def choices(rows: list[Row]) -> str:
    """What each way to choose among the iterates of the same runs gives."""
    tasks = [name for name in TASKS if any(row["task"] == name for row in rows)]
    if not rows:
        return "Not measured yet."
    names = list(rows[0]["choices"])
    lines = [f"| kept by | {' | '.join(tasks)} | difference |", "| --- " * (len(tasks) + 2) + "|"]
    for name in names:
        cells = [
            f"{100 * statistics.fmean(row['choices'][name][0] for row in rows if row['task'] == task):.1f}"
            for task in tasks
        ]
        pairs = [100 * (row["choices"][name][0] - row["choices"][names[0]][0]) for row in rows]
        lines.append(f"| {name} | {' | '.join(cells)} | {'' if name == names[0] else difference(pairs)} |")
    return "\n".join(lines)


def difference(pairs: list[float]) -> str:
    """Mean and half of the 95 % interval, of Student's t, in points.

    >>> difference([1.0, 2.0, 3.0])
    '+2.0 ± 2.5 (3 pairs)'
    """
    if len(pairs) < 2:
        return ""
    half = T95.get(len(pairs), 2.2) * statistics.stdev(pairs) / len(pairs) ** 0.5
    return f"{statistics.fmean(pairs):+.1f} ± {half:.1f} ({len(pairs)} pairs)"


def _gain(row: Row, other: Row) -> float:
    return row["adapted"] - other["adapted"]


def _mean(own: Mapping[At, Row], plain: Mapping[At, Row], of: Callable[[Row, Row], float]) -> float:
    values = [of(row, plain[at]) for at, row in own.items() if at in plain]
    return statistics.fmean(values) if values else float("nan")


def _accuracy(rows: Iterable[Row], task: str) -> str:
    some = [100 * row["adapted"] for row in rows if row["task"] == task]
    return f"{statistics.fmean(some):.1f}" if some else ""


def _words(method: str, row: Row) -> str:
    if method in WORDS:
        return WORDS[method]
    before = "tail" in row["settings"]
    shown = {name: value for name, value in row["settings"].items() if not before or name not in PLAIN}
    if method == "ours:family-base" or not method.endswith(f"-{shown.get('steps')}"):
        shown.pop("steps", None)  # they have a column
    return " ".join(f"`{name}={value}`" for name, value in shown.items()) or "none"
