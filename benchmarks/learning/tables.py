"""The tables of docs/learning.md, from the rows of benchmarks/results/learning.json."""

import statistics
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from common import table

from learning.candidates import CANDIDATES
from learning.tasks.halves import TASKS

Row = dict[str, Any]
GRADIENTS = ("sgd", "momentum", "adam")
MATCHED = tuple(f"matched-{name}" for name in GRADIENTS)
UNLABELLED = {
    "bn-data": "batch-norm statistics of the adaptation samples",
    "bn-test": "of each test batch of 64",
    "tent": "TENT",
}
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a 95 % interval, by the number of values."""

GAIN = 0.95
"""Share of backpropagation's gain that the forward passes are counted to."""

NEAR = 0.01
"""How far below backpropagation's accuracy a run may be for the time to it to end."""

LOW_BITS = ("8w8a", "4w8a")
ELSEWHERE = ("labels", *LOW_BITS)
"""Candidates that have tables of their own."""

SLOWER = ("paper", "first-release")
"""Candidates whose forward passes those of the defaults are compared with."""


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


def peer(rows: Iterable[Row], task: str, train: str, methods: Collection[str] = GRADIENTS) -> dict[int, Row]:
    """Backpropagation's runs by seed: of optimizer and rate with the least mean validation loss over seeds.

    Of those that ran with the most seeds: the others lost on seed 0.
    """
    tried: dict[tuple[str, float], dict[int, Row]] = {}
    for row in rows:
        if (row["task"], row["train"]) == (task, train) and row["method"] in methods:
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


class Cost(NamedTuple):
    """What it took to get somewhere; where most seeds did not, what they took in all, which is less than it takes."""

    value: float
    reached: bool


def middle(costs: Iterable[Cost]) -> Cost:
    """The median; of an even number the mean of the middle two. Not reached where it may be larger than that.

    >>> middle([Cost(3, True), Cost(1, True), Cost(2, False)])
    Cost(value=2, reached=False)
    >>> middle([Cost(3, True), Cost(1, True), Cost(9, False)])
    Cost(value=3, reached=True)
    """
    costs = list(costs)
    value = statistics.median(cost.value for cost in costs)
    return Cost(value, all(cost.reached for cost in costs if cost.value <= value))


class Compared(NamedTuple):
    """A candidate next to backpropagation on one task.

    Attributes:
        accuracy: of the candidate, over seeds.
        gap: candidate less backpropagation, over the seeds that both have.
        passes: to 95 % of backpropagation's gain, median over the seeds whose test curve is known; None without any.
        time: to a point below backpropagation's accuracy, as a share of backpropagation's time to the weights that it
            keeps; the same.
    """

    accuracy: Mean
    gap: Mean
    passes: Cost | None
    time: Cost | None


def compared(own: dict[int, Row], peers: dict[int, Row]) -> Compared | None:
    """None where there is no seed that both have."""
    both = sorted(own.keys() & peers.keys())
    if not both:
        return None
    known = [seed for seed in both if followed(own[seed])]
    return Compared(
        mean(row["adapted"] for row in own.values()),
        mean(own[seed]["adapted"] - peers[seed]["adapted"] for seed in both),
        middle(passes_to_gain(own[seed], peers[seed]) for seed in known) if known else None,
        middle(time_to_peer(own[seed], peers[seed]) for seed in known) if known else None,
    )


def followed(row: Row) -> bool:
    """Whether the test accuracy along a run is known."""
    return all(point[3] is not None for point in row["curve"])


def passes_to_gain(own: Row, theirs: Row, share: float = GAIN) -> Cost:
    """Forward passes until a run's test accuracy first has that share of what the other ends with above the base.

    Those of its search and its first stage count. A peer that gains nothing is reached at once.
    """
    goal = own["zero_shot"] + share * (theirs["adapted"] - own["zero_shot"])
    before, each = own["passes_before"], own["forward_passes"] / max(own["steps"], 1)
    if own["zero_shot"] >= goal:
        return Cost(0, True)
    first = reaching(own, goal)
    return (
        Cost(before + own["forward_passes"], False) if first is None else Cost(before + first[0] * each, True)
    )


def time_to_peer(own: Row, theirs: Row) -> Cost:
    """Time until a run's test accuracy is first a point below what the other ends with, over the other's time till
    the weights that it keeps."""
    seconds = next(point[4] for point in theirs["curve"] if point[0] == theirs["kept_step"])
    first = reaching(own, theirs["adapted"] - NEAR)
    return Cost((own["curve"][-1] if first is None else first)[4] / max(seconds, 0.01), first is not None)


def reaching(row: Row, goal: float) -> list[Any] | None:
    """The first point of a run's curve with a test accuracy; None where it never has it."""
    return next((point for point in row["curve"] if point[3] >= goal), None)


def names(rows: Iterable[Row]) -> list[str]:
    """Candidates with rows: those of the list first, in its order."""
    seen = dict.fromkeys(row["method"][5:] for row in rows if row["method"].startswith("ours:"))
    return [*(name for name in CANDIDATES if name in seen), *sorted(seen.keys() - CANDIDATES.keys())]


def before(rows: Iterable[Row], task: str) -> float:
    """Accuracy of the network as it is: of its integers, or of any run before its first step."""
    own = [row for row in rows if row["task"] == task]
    return next((row for row in own if row["method"] == "none"), own[0])["zero_shot"]


def tasks(rows: list[Row], train: str) -> str:
    """Task by task: the network as it is, backpropagation, and candidates with their gaps."""
    candidates = [
        name for name in names(row for row in rows if row["train"] == train) if name not in ELSEWHERE
    ]
    lines = []
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
    """Candidate by candidate and set by set: mean and worst gap of either half."""
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
    return table(lines, headings)


def of_half(rows: list[Row], train: str, name: str, half: str) -> dict[str, str]:
    """One candidate on one half of the tasks."""
    known = on_half(rows, train, name, half)
    if not known:
        return dict.fromkeys(("tasks", "gap", "worst"), "")
    worst = min(known, key=lambda task: known[task].gap.value)
    gap = mean(one.gap.value for one in known.values())
    return {
        "tasks": str(len(known)),
        "gap": gap.signed,
        "worst": f"{points(known[worst].gap.value)}, {TASKS[worst].words}",
    }


def speed(rows: list[Row]) -> str:
    """Set by set and half by half: forward passes and time of the defaults to what backpropagation reaches, and the
    forward passes of the settings before them."""
    lines = []
    for train in dict.fromkeys(row["train"] for row in rows if row["train"]):
        for half in ("choosing", "reported"):
            costs = {name: on_half(rows, train, name, half) for name in ("defaults", *SLOWER)}
            passes = {
                name: {task: one.passes for task, one in own.items() if one.passes}
                for name, own in costs.items()
            }
            usual, times = passes["defaults"], [one.time for one in costs["defaults"].values() if one.time]
            if not usual:
                continue
            cells = {
                "train": f"`{train}`",
                "half": half,
                "tasks": str(len(usual)),
                "passes": count(usual.values()),
            }
            cells |= {"time": ratio(middle(times)), "in time": reach(times)}
            for name in SLOWER:
                theirs = {task: cost for task, cost in passes[name].items() if task in usual}
                cells[name] = count(theirs.values())
                if theirs:
                    own, more = middle(usual[task] for task in theirs), middle(theirs.values())
                    cells[name] += f": {ratio(Cost(more.value / max(own.value, 1), more.reached))} times"
                    cells[name] += "" if own.reached else " at most"
            lines.append(cells)
    headings = {"train": "`--train`", "half": "half", "tasks": "tasks"}
    headings["passes"] = "forward passes to 95 % of backpropagation's gain"
    run = [name for name in SLOWER if any(cells[name] for cells in lines)]
    headings |= {name: f"`{name}`, on tasks that both have" for name in run}
    headings |= {"time": "time to its best less 1 point, over its own", "in time": "reach it"}
    return table(lines, headings)


def on_half(rows: list[Row], train: str, name: str, half: str) -> dict[str, Compared]:
    """A candidate on the tasks of a half that it and backpropagation have run on."""
    found = {
        task: compared(ours(rows, task, train, name), peer(rows, task, train))
        for task, entry in TASKS.items()
        if entry.half == half
    }
    return {task: one for task, one in found.items() if one}


def count(costs: Collection[Cost]) -> str:
    """Forward passes, median over tasks, and how many reach it."""
    if not costs:
        return ""
    found = middle(costs)
    return f"{'' if found.reached else 'more than '}{found.value:,.0f} ({reach(costs)})"


def ratio(cost: Cost) -> str:
    """A ratio, or its bound."""
    return f"{'' if cost.reached else 'more than '}{cost.value:.1f}"


def reach(costs: Collection[Cost]) -> str:
    """How many got there."""
    return f"{sum(cost.reached for cost in costs)} of {len(costs)}"


def fair(rows: list[Row]) -> str:
    """Both on equal terms: from labels alone, and after the same matching."""
    lines = []
    for train in dict.fromkeys(row["train"] for row in rows if row["train"]):
        for task, (_, half, words, _) in TASKS.items():
            alone = compared(ours(rows, task, train, "labels"), peer(rows, task, train))
            first = peer(rows, task, train, MATCHED)
            both = compared(ours(rows, task, train, "defaults"), first)
            if not alone and not both:
                continue
            cells = {"train": f"`{train}`", "half": half, "task": words}
            cells["labels"] = f"{alone.accuracy}, {alone.gap.signed}" if alone else ""
            cells["peer"] = str(mean(row["adapted"] for row in first.values())) if first else ""
            cells["first"] = f"{both.accuracy}, {both.gap.signed}" if both else ""
            lines.append(cells)
    return table(
        lines,
        {
            "train": "`--train`", "half": "half", "task": "task", "labels": "`labels`, gap to backpropagation",
            "peer": "backpropagation after matching", "first": "`defaults`, gap to it",
        },
    )  # fmt: skip


def bits(rows: list[Row]) -> str:
    """Defaults from bases of fewer bits, next to 16w8a."""
    lines: list[dict[str, str]] = []
    for train in dict.fromkeys(row["train"] for row in rows if row["train"]):
        gaps: dict[str, list[float]] = {name: [] for name in LOW_BITS}
        for task, (_, half, words, _) in TASKS.items():
            usual = ours(rows, task, train, "defaults")
            found = {name: ours(rows, task, train, name) for name in LOW_BITS}
            known = {name: compared(own, usual) for name, own in found.items()}
            if not any(known.values()):
                continue
            cells = {"train": f"`{train}`", "half": half, "task": words}
            cells["16w8a"] = str(mean(row["adapted"] for row in usual.values()))
            for name, one in known.items():
                if one:
                    gaps[name].append(one.gap.value)
                    before = f"{100 * found[name][min(found[name])]['zero_shot']:.1f}"
                    cells[name] = f"{before}, {one.accuracy}, {one.gap.signed}"
            lines.append(cells)
        if any(gaps.values()):
            means = {name: f"mean gap {mean(values).signed}" for name, values in gaps.items() if values}
            lines.append({"train": f"`{train}`", "half": "", "task": "mean", "16w8a": "", **means})
    headings = {"train": "`--train`", "half": "half", "task": "task", "16w8a": "16w8a"}
    return table(lines, headings | {name: f"{name}: as it is, adapted, gap" for name in LOW_BITS})


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
        "learning_speed": lambda: speed(rows),
        "learning_fair": lambda: fair(rows),
        "learning_bits": lambda: bits(rows),
        "learning_unlabelled": lambda: unlabelled(rows),
    }
    for train in ("all", "last:2", "bias", "head"):
        makers[f"learning_{train.replace(':', '_')}"] = lambda train=train: tasks(rows, train)
    missing = "Not measured yet: `make bench-learning`."
    return makers if rows else dict.fromkeys(makers, lambda: missing)
