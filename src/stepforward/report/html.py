"""One self-contained HTML page about a run: no scripts, nothing fetched, readable in light and dark."""

from importlib.resources import files as package_files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from stepforward.files import write_atomically
from stepforward.report import confusion, units
from stepforward.report.command import command_line
from stepforward.report.memory import memory_lines
from stepforward.report.verdict import verdict
from stepforward.report.visible import visible

MOST_ROWS = 24
"""Up to this many classes a table shows all; above, those that changed most, and the rest on demand."""


def write_report(result: dict, path: str | Path) -> None:
    """Write the page of a run.

    Args:
        result: what `adapt` returns; keys it lacks are left out of the page.
        path: of the `.html` file.

    Raises:
        StepforwardError: the file cannot be written; what was there stays.
    """
    write_atomically(path, render(result).encode("utf-8", "backslashreplace"))


def render(result: dict) -> str:
    """The page as text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        {name: getattr(units, name) for name in dir(units) if name.startswith("show_")}
    )
    template = package_files("stepforward.report").joinpath("report.html").read_text("utf-8")
    return environment.from_string(template).render(_context(visible(result)))


def _context(result: dict) -> dict:
    from stepforward.report.curve import (
        DARK,
        LIGHT,
        curve,
    )  # matplotlib is slow to import, and --help needs none

    names = [str(name) for name in result.get("class_names") or ()]
    before, after = result.get("confusion_before"), result.get("confusion_after")
    if before and not names:
        names = [str(i) for i in range(len(before))]
    intervals = [c["difference_interval"] for c in result.get("per_class") or ()]
    scores = confusion.class_scores(before, after, names, intervals) if before else []
    lines = memory_lines(result)
    bars = [line for line in lines if not line.host]  # this machine's would dwarf a device's
    largest = max((line.bytes for line in bars), default=0) or 1
    return {
        "r": _Absent(result),
        "title": Path(str(result.get("model") or "model")).stem,
        "curves": {"light": curve(result, LIGHT), "dark": curve(result, DARK)},
        "matrices": _matrices(before, after, names),
        "names": names,
        "verdict": verdict(result),
        "class_scores": sorted(scores, key=lambda s: s.samples),
        "most_rows": MOST_ROWS,
        "most_changed": _most_changed(scores),
        "memory": [(line, 100 * line.bytes / largest) for line in bars],
        "host_memory": [line for line in lines if line.host],
        "other_ram": {what: count for what, count in (result.get("other_ram") or {}).items() if count},
        "command": result.get("command") or command_line(result),
        "settings": _shown(result.get("settings") or {}),
        "samples": _Absent(result.get("samples") or {}),
        "notes": [str(note) for note in result.get("notes") or ()],
    }


def _most_changed(scores: list[confusion.ClassScore]) -> list[confusion.ClassScore]:
    """Where there are too many classes for one table: those that lost most and gained most, worst first."""
    if len(scores) <= MOST_ROWS:
        return []
    known = sorted((s for s in scores if s.after is not None), key=lambda s: s.after - s.before)
    ends = known[: MOST_ROWS // 3] + known[max(MOST_ROWS // 3, len(known) - MOST_ROWS // 3) :]
    return [s for s in ends if s.after != s.before]


class _Absent(dict):
    """A result whose missing keys read as None, so that the template can ask for any."""

    def __missing__(self, key: str) -> None:
        return None


def _matrices(before: list | None, after: list | None, names: list[str]) -> list[dict]:
    matrices = []
    for title, matrix in (("before", before), ("after", after)):
        if matrix:
            few = len(matrix) <= confusion.MOST_CELLS
            matrices.append(
                {
                    "title": title,
                    "rows": list(zip(names, confusion.cells(matrix), strict=True)) if few else None,
                    "image": None if few else confusion.image(matrix),
                    "commonest": confusion.commonest(matrix, names),
                }
            )
    return matrices


def _shown(settings: dict) -> list[tuple[str, str]]:
    return [(name, "not set" if value is None else str(value)) for name, value in settings.items()]
