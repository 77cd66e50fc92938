"""The tables of docs/learning.md, from the rows of benchmarks/results/learning.json."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from common import table

from learning.candidates import CANDIDATES
from learning.tasks.halves import TASKS

Row = dict[str, Any]
GRADIENTS = ("sgd", "momentum", "adam")
UNLABELLED = {
    "bn-data": "batch-norm statistics of the adaptation samples",
    "bn-test": "of each test batch of 64",
    "tent": "TENT",
}
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a 95 % interval, by the number of values."""

GAIN = 0.95
"""Share of backpropagation's gain that the forward passes are counted to."""


class Mean(NamedTuple):
    """A mean over seeds, and half of its 95 % interval, or None for fewer than two."""

    value: float
    half: float | None

    def __str__(self) -> str:
        half = "" if self.half is None else f" ± {100 * self.half:.1f}"
        return f"{100 * self.value:.1f}{half}"

    @property
    def signed(self) -> str:
        """For a difference."""
        half = "" if self.half is None else f" ± {100 * self.half:.1f}"
        return f"{points(self.value)}{half}"


def points(share: float) -> str:
    """A difference in points with its sign; nothing is +0.0."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def mean(values: Iterable[float]) -> Mean:
    """Mean and half interval, of Student's t.

    >>> mean([0.5, 0.6, 0.7])
    Mean(value=0.6, half=0.24843384943885454)
    """
    values = list(values)
    half = None
    if len(values) > 1:
        half = T95.get(len(values), 1.96) * statistics.stdev(values) / len(values) ** 0.5
    return Mean(statistics.fmean(values), half)


def peer(rows: Iterable[Row], task: str, train: str) -> dict[int, Row]:
    """Backpropagation's runs by seed: of optimizer and rate with the least mean validation loss over seeds.

    Of those that ran with the most seeds: the others lost on seed 0.
    """
    tried: dict[tuple[str, float], dict[int, Row]] = {}
    for row in rows:
        if (row["task"], row["train"]) == (task, train) and row["method"] in GRADIENTS:
            tried.setdefault((row["method"], row["settings"]["lr"]), {})[row["seed"]] = row
    most = max(map(len, tried.values()), default=0)
    finalists = [runs for runs in tried.values() if len(runs) == most]
    return min(finalists, key=lambda runs: sum(row["validation_loss"] for row in runs.values()), default={})


def ours(rows: Iterable[Row], task: str, train: str, name: str) -> dict[int, Row]:
    """A candidate's runs by seed."""
    return {
        row["seed"]: row
        for row in rows
        if (row["task"], row["train"], row["method"]) == (task, train, f"ours:{name}")
    }


class Compared(NamedTuple):
    """A candidate next to backpropagation on one task.

    Attributes:
        accuracy: of the candidate, over seeds.
        gap: candidate less backpropagation, over the seeds that both have.
        passes: median forward passes to 95 % of backpropagation's gain; None where fewer than half of the seeds get
            there.
    """

    accuracy: Mean
    gap: Mean
    passes: float | None


def compared(own: dict[int, Row], peers: dict[int, Row]) -> Compared | None:
    """None where there is no seed that both have."""
    both = sorted(own.keys() & peers.keys())
    if not both:
        return None
    counts = [passes_to_gain(own[seed], peers[seed]) for seed in both]
    middle = statistics.median_high(float("inf") if count is None else count for count in counts)
    return Compared(
        mean(row["adapted"] for row in own.values()),
        mean(own[seed]["adapted"] - peers[seed]["adapted"] for seed in both),
        None if middle == float("inf") else middle,
    )


def passes_to_gain(own: Row, theirs: Row, share: float = GAIN) -> float | None:
    """Forward passes until a run's test accuracy first has that share of what the other ends with above the base.

    None where it never has, or where the run's test curve is not known. A peer that gains nothing is reached at once.
    """
    goal = own["zero_shot"] + share * (theirs["adapted"] - own["zero_shot"])
    each = own["forward_passes"] / max(own["steps"], 1)
    return next((step * each for step, _, _, test in own["curve"] if test is not None and test >= goal), None)


def followed(row: Row) -> bool:
    """Whether the test accuracy along a run is known."""
    return any(test is not None for _, _, _, test in row["curve"])


def names(rows: Iterable[Row]) -> list[str]:
    """Candidates with rows: those of the list first, in its order."""
    seen = dict.fromkeys(row["method"][5:] for row in rows if row["method"].startswith("ours:"))
    return [*(name for name in CANDIDATES if name in seen), *sorted(seen.keys() - CANDIDATES.keys())]


def before(rows: Iterable[Row], task: str) -> float:
    """Accuracy of the network as it is: of its integers, or of any run before its first step."""
    own = [row for row in rows if row["task"] == task]
    return next((row for row in own if row["method"] == "none"), own[0])["zero_shot"]


def tasks(rows: list[Row], train: str) -> str:
    """Task by task: the network as it is, backpropagation, and every candidate with its gap."""
    candidates, lines = names(row for row in rows if row["train"] == train), []
    for task, (_, half, words, _) in TASKS.items():
        peers = peer(rows, task, train)
        if not peers:
            continue
        cells = {"half": half, "task": words, "zero": f"{100 * before(rows, task):.1f}"}
        cells["peer"] = str(mean(row["adapted"] for row in peers.values()))
        cells["how"] = f"{peers[0]['method']}, {peers[0]['settings']['lr']:g}"
        for name in candidates:
            found = compared(ours(rows, task, train, name), peers)
            cells[name] = "" if found is None else f"{found.accuracy}, {found.gap.signed}"
        lines.append(cells)
    headings = {"half": "half", "task": "task", "zero": "as it is", "peer": "backpropagation", "how": "by"}
    return table(lines, headings | {name: f"`{name}`, gap" for name in candidates})


def summary(rows: list[Row]) -> str:
    """Candidate by candidate and set by set: mean and worst gap of either half, and forward passes."""
    lines = []
    for train in dict.fromkeys(row["train"] for row in rows if row["train"]):
        for name in names(row for row in rows if row["train"] == train):
            cells = {"train": f"`{train}`", "name": f"`{name}`"}
            for half in ("choosing", "reported"):
                cells |= {f"{half} {key}": text for key, text in of_half(rows, train, name, half).items()}
            lines.append(cells)
    headings = {"train": "`--train`", "name": "settings"}
    for half in ("choosing", "reported"):
        headings |= {f"{half} tasks": f"{half}: tasks", f"{half} gap": "mean gap", f"{half} worst": "worst"}
        headings |= {f"{half} reached": "reach 95 % of the gain", f"{half} passes": "in forward passes"}
    return table(lines, headings)


def of_half(rows: list[Row], train: str, name: str, half: str) -> dict[str, str]:
    """One candidate on one half of the tasks."""
    found = {
        task: compared(ours(rows, task, train, name), peer(rows, task, train))
        for task, entry in TASKS.items()
        if entry.half == half
    }
    known = {task: one for task, one in found.items() if one}
    if not known:
        return dict.fromkeys(("tasks", "gap", "worst", "reached", "passes"), "")
    worst = min(known, key=lambda task: known[task].gap.value)
    curves = any(followed(row) for task in known for row in ours(rows, task, train, name).values())
    passes = [one.passes for one in known.values() if one.passes is not None]
    gap = mean(one.gap.value for one in known.values())
    return {
        "tasks": str(len(known)),
        "gap": gap.signed,
        "worst": f"{points(known[worst].gap.value)}, {TASKS[worst].words}",
        "reached": f"{len(passes)} of {len(known)}" if curves else "not measured",
        "passes": f"{statistics.median(passes):,.0f}" if passes else "",
    }


def unlabelled(rows: list[Row]) -> str:
    """Float peers without labels, task by task."""
    lines = []
    for task, (_, half, words, _) in TASKS.items():
        own = {row["method"]: row for row in rows if row["task"] == task and row["method"] in UNLABELLED}
        if own:
            cells = {"half": half, "task": words}
            cells["zero"] = f"{100 * next(iter(own.values()))['zero_shot']:.1f}"
            cells |= {m: f"{100 * own[m]['adapted']:.1f}" if m in own else "" for m in UNLABELLED}
            lines.append(cells)
    return table(lines, {"half": "half", "task": "task", "zero": "float, as it is", **UNLABELLED})


def made(result: dict[str, Any] | None) -> dict[str, Callable[[], str]]:
    """Makers of the tables by the name that a document asks for them with."""
    rows = list(result["rows"]) if result else []
    makers: dict[str, Callable[[], str]] = {
        "learning_summary": lambda: summary(rows),
        "learning_unlabelled": lambda: unlabelled(rows),
    }
    for train in ("all", "last:2", "bias", "head"):
        makers[f"learning_{train.replace(':', '_')}"] = lambda train=train: tasks(rows, train)
    missing = "Not measured yet: `make bench-learning`."
    return makers if rows else dict.fromkeys(makers, lambda: missing)
