"""The learning curve: accuracy and loss against steps, as an SVG data URI."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stepforward.methods.table import METHODS
from stepforward.report.units import show_percent
from stepforward.run.result import RunResult
from stepforward.run.training import CurveRow
from stepforward.run.tried import at_temperature
from stepforward.settings import FLAT

LIGHT = {"ink": "#374151", "grid": "#e2e5ea", "blue": "#2563eb", "orange": "#c2410c", "grey": "#6b7280"}
DARK = {"ink": "#d1d5db", "grid": "#353c49", "blue": "#7aa7ff", "orange": "#fb923c", "grey": "#9ca3af"}

# No mathematics in text (a name may hold a dollar sign), and the same bytes for the same result.
STYLE: Any = {"text.parse_math": False, "svg.hashsalt": "stepforward", "font.size": 10}
"""Of every figure."""


def curve(result: RunResult, colours: dict[str, str]) -> str | None:
    """Draw the curve of a result; None when it has fewer than two points.

    Args:
        result: what `adapt` returns.
        colours: `LIGHT` or `DARK`; the background is transparent.
    """
    with matplotlib.rc_context(STYLE):
        figure = plot(result, colours)
        return None if figure is None else as_uri(figure)


def as_uri(figure: Figure) -> str:
    """A figure as an SVG data URI with a transparent background, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


class Curve(Figure):
    """A figure that a notebook shows by itself, and that belongs to no global state of pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def plot(result: RunResult, colours: dict[str, str] = LIGHT) -> Curve | None:
    """The curve as a figure of matplotlib; None when it has fewer than two points."""
    points = result.curve
    if len(points) < 2:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Curve(figsize=(10.4, 5.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _accuracy(above, result, points, colours)
        _losses(below, result, points, colours)
        below.set_xlabel("steps")
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes, columns in ((above, 2), (below, 3)):
            _mark_kept(axes, result.kept_step, colours)
            _dress(axes, columns, colours)
    return figure


def _column(points: Sequence[CurveRow], key: str, factor: float = 1.0) -> list[float]:
    values = (getattr(point, key) for point in points)
    return [math.nan if value is None else factor * value for value in values]


def _accuracy(axes: Axes, result: RunResult, points: Sequence[CurveRow], colours: dict[str, str]) -> None:
    steps, accuracy = _column(points, "step"), _column(points, "validation_accuracy", 100)
    measured = result.measured_on
    axes.plot(
        steps,
        accuracy,
        color=colours["blue"],
        label=_with_count(f"validation accuracy{_alike(result)}", result.samples.validation),
    )
    on = _with_count(f"on {measured} samples", result.measured_samples)
    lines = (("zero-shot", result.zero_shot_accuracy, ":"), ("adapted", result.adapted_accuracy, "--"))
    for name, value, style in lines:
        label = f"{name} {on}: {show_percent(value)}"
        axes.axhline(100 * value, color=colours["grey"], linestyle=style, linewidth=1.4, label=label)
    axes.set_ylabel("accuracy, %")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -2), min(high, 102))


def _with_count(text: str, samples: int | None) -> str:
    return f"{text} ({samples:,})" if samples else text


def _losses(axes: Axes, result: RunResult, points: Sequence[CurveRow], colours: dict[str, str]) -> None:
    steps = _column(points, "step")
    temperature = _temperature(result)
    axes.plot(
        steps,
        _column(points, "train_loss"),
        color=colours["orange"],
        linewidth=1.3,
        label=f"training loss{at_temperature(temperature)}",
    )
    judged = _judged(result)
    axes.plot(
        steps,
        _column(points, "validation_loss"),
        color=colours["blue"],
        label=f"validation loss{at_temperature(judged)}{_alike(result)}",
    )
    axes.set_ylabel("loss, nats")
    axes.set_ylim(bottom=0)


def _alike(result: RunResult) -> str:
    return ", mean of classes" if result.settings.get("balance") else ""


def _temperature(result: RunResult) -> float:
    """Of the training loss."""
    known = "temperature" in METHODS[result.method].takes
    return result.settings.get("temperature", 1) if known else 1


def _judged(result: RunResult) -> float:
    """Of the loss that chooses among weights."""
    if result.settings.get("judge") == "flat":
        return FLAT * result.settings["temperature"]
    return _temperature(result) if result.settings.get("judge") == "training" else 1


def _mark_kept(axes: Axes, step: int, colours: dict[str, str]) -> None:
    axes.axvline(step, color=colours["ink"], linewidth=1, alpha=0.55, label=f"kept: step {step:,}")


def _dress(axes: Axes, columns: int, colours: dict[str, str]) -> None:
    axes.grid(color=colours["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours["grey"])
    axes.tick_params(colors=colours["ink"])
    axes.xaxis.label.set_color(colours["ink"])
    axes.yaxis.label.set_color(colours["ink"])
    # Above the axes, where it can cover no line.
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        labelcolor=colours["ink"],
        borderaxespad=0.2,
    )
