"""The tables a person reads at the end of a command."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from stepforward.intervals import wilson
from stepforward.report.beginning import beginning
from stepforward.report.confusion import class_scores
from stepforward.report.memory import of_entries, of_result
from stepforward.report.units import (
    show_bytes,
    show_count,
    show_loss,
    show_percent,
    show_range,
    show_seconds,
)
from stepforward.report.verdict import verdict
from stepforward.run.result import RunResult

Row = tuple[str, str | Text, str]
"""A name, a figure and what it means."""

_MOST_CLASSES = 40
_STYLES = {+1: "bold green", -1: "bold red", 0: "dim"}


def adaptation(result: RunResult) -> RenderableType:
    """The outcome of `adapt`: accuracy before and after, what was kept, memory, time."""
    measured, change = result.measured_on, verdict(result)
    rows: list[Row] = [
        (
            "zero-shot",
            show_percent(result.zero_shot_accuracy),
            f"on {show_count(result.measured_samples)} {measured} samples{_reach(result.zero_shot_interval)}",
        ),
        ("adapted", show_percent(result.adapted_accuracy), f"on the same{_reach(result.adapted_interval)}"),
        ("difference", Text(change.points, _STYLES[change.sign]), change.meaning),
        *_recall(result),
        ("kept", result.kept, f"{show_count(result.steps)} steps taken"),
        *beginning(result),
        *((line.label, line.value, line.meaning) for line in of_result(result)),
        ("time", show_seconds(result.seconds), _speed(result)),
        ("forward passes", show_count(result.forward_passes), "samples sent through the network"),
    ]
    notes = list(result.notes)
    if measured != "test":
        notes.append(
            "the samples measured on also chose the weights: optimistic; --test DATA measures on others"
        )
    return Group(three_columns(rows), *notes_of(notes, result), *_where(result))


def demonstration(result: RunResult) -> RenderableType:
    """The outcome of `demo`: that of `adapt`, and what to try next."""
    lines = [Text(f"  {command}", no_wrap=True) for command in result.next or ()]
    return Group(adaptation(result), Text("try next:"), *lines)


def _reach(ends: Sequence[float] | None) -> str:
    return f"; 95 %: {show_range(ends)}" if ends else ""


def _recall(result: RunResult) -> list[Row]:
    """Accuracy with every class counting alike, where the classes are of different size."""
    sizes = [c.samples for c in result.per_class if c.samples]
    if not sizes or max(sizes) < 2 * min(sizes):
        return []
    before, after = result.zero_shot_mean_recall, result.adapted_mean_recall
    return [
        ("mean of classes", show_percent(after), f"every class counts alike; before {show_percent(before)}")
    ]


def notes_of(notes: Iterable[str], result: Mapping[str, Any]) -> list[Text]:
    """Notes, and the command that makes assumptions unnecessary, where the result has one."""
    shown = [Text(f"note: {note}", "yellow") for note in notes]
    if result.get("for_good"):
        shown += [
            Text("to write this, or what is right instead, into a model file for good:", "yellow"),
            Text(f"  {result['for_good']}", no_wrap=True, overflow="ignore"),
        ]
    return shown


def _speed(result: RunResult) -> str:
    return f"{result.steps_per_second:.1f} steps/s" if result.steps_per_second else ""


def _where(result: RunResult) -> list[Text]:
    return [Text(f"report: {Path(result.out) / 'report.html'}", no_wrap=True)] if result.out else []


def quantization(result: dict) -> RenderableType:
    """The outcome of `quantize`: what was written, and what it takes."""
    rows = [
        ("format", str(result["bits"]), "weights and activations"),
        ("parameters", show_count(result["parameters"]), ""),
        *_fidelity_rows(result["fidelity"]),
        *((line.label, line.value, line.meaning) for line in of_entries(result)),
    ]
    written = [Text(f"written: {result[key]}", no_wrap=True) for key in ("out", "program") if result.get(key)]
    return Group(three_columns(rows), *notes_of(result.get("notes") or (), result), *written)


def _fidelity_rows(figures: dict) -> list[tuple[str, str, str]]:
    """The float network against the integers, on the samples that were given."""
    same = (
        "same answers",
        show_percent(figures["agreement"]),
        f"on {show_count(figures['samples'])} samples",
    )
    if figures["float_accuracy"] is None:
        return [same]
    loss = f"loss {show_loss(figures['float_loss'])} nats"
    quantized_loss = f"loss {show_loss(figures['quantized_loss'])} nats"
    return [
        ("accuracy, float32", show_percent(figures["float_accuracy"]), loss),
        ("accuracy, integers", show_percent(figures["quantized_accuracy"]), quantized_loss),
        same,
    ]


def replayed(result: dict) -> RenderableType:
    """The outcome of `replay`."""
    kept = f"step {result['kept']}" if result["kept"] else "the base"
    rows = [
        ("kept", kept, f"of {show_count(result['steps'])} recorded steps"),
        ("weights, SHA-256", "", result["weights_sha256"]),
        ("time", show_seconds(result["seconds"]), ""),
    ]
    written = [Text(f"written: {result['out']}", no_wrap=True)] if result.get("out") else []
    return Group(three_columns(rows), *written)


def exported(result: dict) -> RenderableType:
    """The outcome of `demo --export-clips`: where the recordings are."""
    return Group(
        Text(f"to adapt: {result['data']}", no_wrap=True), Text(f"to measure: {result['test']}", no_wrap=True)
    )


def _as_runtime(result: dict) -> str:
    return f"as {result['runtime']} computes" if result.get("runtime") else ""


def evaluation(result: dict) -> RenderableType:
    """The outcome of `evaluate`: accuracy, loss, accuracy per class."""
    rows: list[Row] = [
        ("accuracy", Text(show_percent(result["accuracy"]), "bold"), _right(result)),
        ("loss", f"{show_loss(result['loss'])} nats", "mean per sample"),
        ("format", str(result.get("bits", "")), _as_runtime(result)),
        ("time", show_seconds(result.get("seconds")), ""),
    ]
    names = [str(name) for name in result.get("class_names") or range(len(result["confusion"]))]
    scores = sorted(class_scores(result["confusion"], None, names), key=lambda score: score.samples == 0)
    table = columns_table(("class", "left"), ("samples", "right"), ("accuracy", "right"))
    for score in scores[:_MOST_CLASSES]:
        table.add_row(Text(score.name), show_count(score.samples), show_percent(score.before))
    hidden = len(scores) - _MOST_CLASSES
    more = [Text(f"and {hidden} more classes (--json has all)")] if hidden > 0 else []
    return Group(three_columns(rows), table, *more, *notes_of(result.get("notes") or (), result))


def _right(result: dict) -> str:
    ends = wilson(result["correct"], result["count"])
    return f"{show_count(result['correct'])} of {show_count(result['count'])} samples" + _reach(ends)


def _host_rows(host: dict) -> list[tuple[str, str, str]]:
    """What `--memory fast` and `--memory small` take on this machine."""
    fast, small, threads = host["fast"], host["small"], host["threads"]
    batch = f"a step of {host['batch']} samples packs the weights"
    less = show_bytes(fast["bytes"] - small["bytes"])
    return [
        (
            "this host, fast",
            show_bytes(fast["bytes"]),
            f"adapt --memory fast, {threads} thread{'s' * (threads > 1)}: {batch} {fast['packed_per_step']} times",
        ),
        (
            "this host, small",
            show_bytes(small["bytes"]),
            f"adapt --memory small: {small['packed_per_step']} times, in {less} less",
        ),
    ]


def inspection(result: dict) -> RenderableType:
    """The outcome of `inspect`: operators, totals, memory, trainable tensors."""
    ops = columns_table(
        ("operator", "left"),
        ("name", "left"),
        ("output", "left"),
        ("format", "left"),
        ("MACs", "right"),
        ("params", "right"),
        ("weights", "right"),
    )
    for op in result["ops"]:
        ops.add_row(
            op["kind"],
            Text(str(op["name"])),
            "x".join(str(d) for d in op["output_shape"]),
            str(op["format"]).replace(" x ", "×").replace(" -> ", "→"),
            show_count(op["macs"]),
            show_count(op["parameters"]),
            show_bytes(op["weight_bytes"]),
        )
    rows = [
        ("multiply-accumulates", show_count(result["macs"]), "per sample"),
        (
            "parameters",
            show_count(result["parameters"]),
            f"{show_count(result['trainable_parameters'])} trainable",
        ),
        *((line.label, line.value, line.meaning) for line in of_entries(result)),
        (
            "row tile",
            show_bytes(result["row_tile_bytes"]),
            "what staged weight rows and one patch add to the activations while a device trains",
        ),
        (
            "arena",
            show_bytes(result["arena_bytes"]),
            f"activations, planned; no plan needs less than {show_bytes(result['arena_floor_bytes'])}",
        ),
        *_input_rows(result.get("inputs")),
        *_table_rows(result.get("table")),
        *_following_rows(result.get("following")),
        *_host_rows(result["host"]),
    ]
    besides = Table.grid(padding=(0, 2))
    for what, count in (result.get("other_ram") or {}).items():
        if count:
            besides.add_row(Text(show_bytes(count), justify="right"), Text(what))
    granted = Table.grid(padding=(0, 2))
    for option, count in (result.get("granted") or {}).items():
        granted.add_row(Text(show_bytes(count), justify="right"), Text(option))
    quanta = columns_table(
        ("trainable tensor", "left"), ("a probe moves", "right"), ("a step moves", "right")
    )
    for name, (probe, step) in result["quanta"].items():
        quanta.add_row(Text(str(name)), _quanta(probe), _quanta(step))
    for name in result.get("exact") or ():
        quanta.add_row(Text(str(name)), Text("nothing"), Text("by its gradient"))
    notes = notes_of(result.get("notes") or (), result)
    explanation = Text("in quanta of the weight, for a direction of one standard deviation", "dim")
    where = Text("\nand, where it is given:" if granted.row_count else "")
    return Group(
        *(ops, three_columns(rows), Text("\nRAM must hold besides:"), besides, where, granted, quanta),
        *(explanation, *notes),
    )


def _input_rows(inputs: list[dict] | None) -> list[tuple[str, str, str]]:
    meaning = "numbers of a sample, after those of the inputs above it in one row"
    return [(f"input {one['name']}", " x ".join(map(str, one["shape"])), meaning) for one in inputs or ()]


def _table_rows(table: dict | None) -> list[tuple[str, str, str]]:
    if table is None:
        return []
    meaning = (
        f"of the weights: {table['name']}, a row for each of {show_count(table['ids'])} token ids; it stays"
    )
    return [("table", show_bytes(table["bytes"]), meaning)]


def _following_rows(following: dict | None) -> list[tuple[str, str, str]]:
    if following is None:
        return []
    meaning = f"state of a device that follows a stream without labels, {following['channels']} channels"
    return [("matching", show_bytes(following["state_bytes"]), meaning)]


def _quanta(value: float) -> Text:
    # Below half a quantum a move rounds to nothing for most elements.
    return Text(f"{value:,.2f}", "yellow" if value < 0.5 else "")


def three_columns(rows: Iterable[Row]) -> Table:
    """Rows of a name, a figure and what it means."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def columns_table(*columns: tuple[str, JustifyMethod]) -> Table:
    """An empty table with named columns, each with its alignment."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in columns:
        may_fold = name in ("name", "class")
        table.add_column(
            name, justify=justify, overflow="fold", no_wrap=not may_fold, min_width=12 if may_fold else None
        )
    return table
