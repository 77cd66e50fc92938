"""The tables of docs/results.md on statistics matching, from benchmarks/results/matching*.json."""

from typing import Any

from common import table


def corruptions(result: dict[str, Any]) -> str:
    """Accuracy as the network is and matched, for every corruption, their mean, and clean images."""
    ways = list(result["mean_of_15"])
    last = {"clean": result["corruptions"]["clean"], "**mean of 15**": result["mean_of_15"]}
    named = {name: row for name, row in result["corruptions"].items() if name != "clean"} | last
    rows = [
        {
            "what": name.replace("_", " "),
            "source": f"{row[ways[0]]['source']:.1f}",
            **{way: f"{row[way]['matched']:.1f}" for way in ways},
            "stepped": f"{row[ways[-1]]['stepped']:.1f}",
        }
        for name, row in named.items()
    ]
    headings = {"what": "corruption", "source": "as it is", **{way: f"matched, {way}" for way in ways}}
    return table(rows, {**headings, "stepped": "and 40 steps"})


def streams(result: dict[str, Any]) -> str:
    """The same for streams of a few classes."""
    ways = [way for way in result["mean_of_15"] if way in next(iter(result["streams"].values()))]
    rows = [
        {
            "what": name,
            "images": row["images"],
            "source": f"{row['source']:.1f}",
            **{way: f"{row[way]:.1f}" for way in ways},
            **{way: f"{row[way]:.1f}" if way in row else "" for way in ("at once", "stepped")},
        }
        for name, row in result["streams"].items()
    ]
    headings = {"what": "stream", "images": "images", "source": "as it is"}
    headings |= {way: f"matched, {way}" for way in ways}
    return table(rows, {**headings, "at once": "matched, all at once", "stepped": "and 40 steps"})


def gate(result: dict[str, Any]) -> str:
    """Every kind of task: as it is, everything corrected, and as strong as predictions say."""
    rows = [
        {
            "half": row["half"],
            "task": row["task"],
            "source": f"{row['source']:.1f}",
            "whole": f"{row['whole']:.1f}",
            "strength": f"{4 * row['strength']:.0f}/4",
            "matched": f"{row['matched']:.1f}",
            "stepped": f"{row['stepped']:.1f}",
            "bits": " to ".join(f"{value:.2f}" for value in row["bits"]),
        }
        for row in result["rows"]
    ]
    headings = {"half": "half", "task": "task", "source": "as it is", "whole": "corrected whole"}
    found = {"strength": "strength", "matched": "`--method match`", "bits": "information, bits"}
    return table(rows, {**headings, **found, "stepped": "`--steps 40`"})


TABLES = {
    "matching_corruptions": ("matching", corruptions),
    "matching_streams": ("matching", streams),
    "matching_gate": ("matching_gate", gate),
}
"""Makers of tables, and the results they are made from."""
