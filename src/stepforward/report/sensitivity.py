"""What each layer loses in fixed point, for people: a table for the terminal, a page with a bar chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from stepforward.files import write_atomically
from stepforward.report.html import page
from stepforward.report.terminal import Row, columns_table, notes_of, three_columns
from stepforward.report.units import ABSENT, show_count, show_loss, show_percent

_MOST_ROWS = 20
_MOST_BARS = 60
_WIDTH = 20


def show_decibels(value: float | None) -> str:
    """Signal to noise.

    >>> show_decibels(31.96), show_decibels(None)
    ('32.0 dB', '–')
    """
    return ABSENT if value is None else f"{value:.1f} dB"


def layers(result: Mapping[str, Any]) -> RenderableType:
    """The outcome of `inspect --sensitivity`: the whole network, the tensors that lose most, what to change."""
    labelled = result["reference"]["accuracy"] is not None
    table = columns_table(
        ("name", "left"),
        ("what", "left"),
        ("bits", "right"),
        ("signal to noise", "right"),
        ("share of all", "left"),
    )
    for column in ("accuracy", "loss") if labelled else ("same answers",):
        table.add_column(column, justify="right", no_wrap=True)
    loudest = sorted(result["tensors"], key=lambda row: -row["share"])
    for row in loudest[:_MOST_ROWS]:
        effect = row["effect"]
        table.add_row(
            Text(row["name"]),
            _what(row),
            str(row["bits"]),
            show_decibels(effect["decibels"]),
            Text.assemble((_bar(row["share"]), "blue"), f" {show_percent(row['share'])}"),
            *_scores(effect),
        )
    hidden = len(loudest) - _MOST_ROWS
    more = [Text(f"and {hidden} more (--json has all, --report draws them)")] if hidden > 0 else []
    explanation = Text(
        "each tensor alone in fixed point, the rest in float32; worst first. Signal to noise is that of the logits: "
        "10 dB more are a tenth of the noise",
        "dim",
    )
    return Group(
        three_columns(_whole(result)),
        table,
        *more,
        explanation,
        *notes_of(result["notes"], result),
        *_next(result),
    )


def _what(row: Mapping[str, Any]) -> str:
    return f"weights, {row['operator']}" if row["kind"] == "weights" else row["operator"]


def _bar(share: float) -> str:
    return "█" * round(share * _WIDTH) or "·"


def _scores(effect: Mapping[str, Any]) -> tuple[str, ...]:
    if effect["accuracy"] is None:
        return (show_percent(effect["agreement"]),)
    return show_percent(effect["accuracy"]), show_loss(effect["loss"])


def _whole(result: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = [
        (
            "float32",
            _accuracy(result["reference"]),
            f"{_loss(result['reference'])}on {show_count(result['samples'])} samples",
        ),
        (
            f"integers, {result['bits']}",
            _accuracy(result["whole"]),
            f"{_loss(result['whole'])}signal to noise {show_decibels(result['whole']['decibels'])}; "
            f"the tensors below add up to {show_decibels(result['parts'])}",
        ),
    ]
    better = result["with_suggested"]
    if better is not None:
        count = len(result["suggested"])
        rows.append(
            (
                f"with {count} at 16 bits",
                _accuracy(better),
                f"{_loss(better)}signal to noise {show_decibels(better['decibels'])}",
            )
        )
    return rows


def _accuracy(effect: Mapping[str, Any]) -> str:
    return show_percent(effect["agreement"] if effect["accuracy"] is None else effect["accuracy"])


def _loss(effect: Mapping[str, Any]) -> str:
    return "same answers; " if effect["loss"] is None else f"loss {show_loss(effect['loss'])} nats; "


def _next(result: Mapping[str, Any]) -> list[Text]:
    if not result["suggested"]:
        return [Text("no activation would gain much from 16 bits, or none that may have them")]
    kept = ", ".join(result["suggested"])
    return [
        Text(f"to keep at 16 bits: {kept}"),
        Text(f"  {result['command']}", no_wrap=True, overflow="ignore"),
    ]


def write_page(result: Mapping[str, Any], path: str | Path) -> None:
    """Write the page.

    Args:
        result: `verbs.sensitivity.Sensitivity` as a dictionary.
        path: of the `.html` file.

    Raises:
        StepforwardError: the file cannot be written; what was there stays.
    """
    from stepforward.report.curve import DARK, LIGHT  # matplotlib is slow to import

    context = {
        "r": result,
        "title": Path(result["model"]).stem,
        "charts": {"light": chart(result["tensors"], LIGHT), "dark": chart(result["tensors"], DARK)},
        "rows": sorted(result["tensors"], key=lambda row: -row["share"]),
        "whole": [(name, value, meaning) for name, value, meaning in _whole(result)],
        "labelled": result["reference"]["accuracy"] is not None,
        "show_decibels": show_decibels,
        "what": _what,
    }
    write_atomically(path, page("sensitivity.html", context).encode("utf-8", "backslashreplace"))


def chart(tensors: Sequence[Mapping[str, Any]], colours: dict[str, str]) -> str:
    """Signal to noise of every tensor alone, a bar for each in the order of the network, as an SVG data URI.

    Of more than 60 the worst are drawn.
    """
    import matplotlib

    from stepforward.report.curve import STYLE, Curve, as_uri

    heard = [row for row in tensors if row["effect"]["decibels"] is not None]
    shown = sorted(heard, key=lambda row: row["effect"]["decibels"])[:_MOST_BARS]
    rows = [row for row in tensors if row in shown]
    with matplotlib.rc_context(STYLE):
        figure = Curve(figsize=(10.4, 1.2 + 0.24 * max(len(rows), 3)), layout="constrained")
        axes = figure.subplots()
        for kind, colour in (("activation", "blue"), ("weights", "orange")):
            places = [i for i, row in enumerate(rows) if row["kind"] == kind]
            values = [rows[i]["effect"]["decibels"] for i in places]
            label = "what the layer gives" if kind == "activation" else "its weights"
            axes.barh(places, values, color=colours[colour], height=0.75, label=label)
        axes.set_yticks(range(len(rows)), [f"{row['name']} ({row['bits']})" for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(
            "signal to noise of the logits, dB (shorter is worse; bits in brackets)", color=colours["ink"]
        )
        axes.grid(axis="x", color=colours["grid"], linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(colours["grey"])
        axes.tick_params(colors=colours["ink"])
        if rows:
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, labelcolor=colours["ink"]
            )
        return as_uri(figure)
