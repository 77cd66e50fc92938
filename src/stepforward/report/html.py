"""One self-contained HTML page about a run: no scripts, nothing fetched, readable in light and dark."""

from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from stepforward.files import write_atomically
from stepforward.methods.table import INTEGERS, METHODS
from stepforward.report import confusion, units
from stepforward.report.beginning import beginning
from stepforward.report.command import command_line
from stepforward.report.memory import of_result
from stepforward.report.verdict import verdict
from stepforward.report.visible import visible
from stepforward.run.result import RunResult

MOST_ROWS = 24
"""Up to this many classes a table shows all; above, those that changed most, and the rest on demand."""


def write_report(result: RunResult, path: str | Path) -> None:
    """Write the page of a run.

    Args:
        result: of the run.
        path: of the `.html` file.

    Raises:
        StepforwardError: the file cannot be written; what was there stays.
    """
    write_atomically(path, render(result).encode("utf-8", "backslashreplace"))


def render(result: RunResult) -> str:
    """The page as text."""
    return page("report.html", _context(visible(result)))


def page(template: str, context: dict) -> str:
    """A page made from a template of this folder, with the style that all have."""
    return _compiled(template).render(style=Markup(_text("style.html")), **context)


@cache
def _compiled(template: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        {name: getattr(units, name) for name in dir(units) if name.startswith("show_")}
    )
    return environment.from_string(_text(template))


def _text(name: str) -> str:
    return package_files("stepforward.report").joinpath(name).read_text("utf-8")


def _context(result: RunResult) -> dict:
    from stepforward.report.curve import (
        DARK,
        LIGHT,
        curve,
    )  # matplotlib is slow to import, and --help needs none

    names = result.class_names
    before, after = result.confusion_before, result.confusion_after
    scores = confusion.class_scores(before, after, names, [c.difference_interval for c in result.per_class])
    lines = of_result(result)
    bars = [line for line in lines if not line.host]  # this machine's would dwarf a device's
    largest = max((line.bytes for line in bars), default=0) or 1
    return {
        "r": result,
        "title": Path(result.source).stem,
        "curves": {"light": curve(result, LIGHT), "dark": curve(result, DARK)},
        "matrices": _matrices(before, after, names),
        "names": names,
        "verdict": verdict(result),
        "beginning": beginning(result),
        "class_scores": sorted(scores, key=lambda s: s.samples),
        "most_rows": MOST_ROWS,
        "most_changed": _most_changed(scores),
        "memory": [(line, 100 * line.bytes / largest) for line in bars],
        "host_memory": [line for line in lines if line.host],
        "other_ram": {what: count for what, count in result.other_ram.items() if count},
        "command": result.command or command_line(result),
        "settings": _shown(result.settings),
        "samples": result.samples,
        "notes": result.notes,
        "integers": METHODS[result.method].needs == INTEGERS,
    }


def _most_changed(scores: list[confusion.ClassScore]) -> list[confusion.ClassScore]:
    """Where there are too many classes for one table: those that lost most and gained most, worst first."""
    if len(scores) <= MOST_ROWS:
        return []
    known = sorted((s for s in scores if s.change is not None), key=lambda s: s.change or 0.0)
    ends = known[: MOST_ROWS // 3] + known[max(MOST_ROWS // 3, len(known) - MOST_ROWS // 3) :]
    return [s for s in ends if s.change]


def _matrices(before: list[list[int]], after: list[list[int]], names: list[str]) -> list[dict]:
    matrices = []
    for title, matrix in (("before", before), ("after", after)):
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
