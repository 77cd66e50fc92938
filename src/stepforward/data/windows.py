"""Windows of a recording: a CSV with a column for each channel, one for the label, and a row for each time step."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.data.csv_list import LABELS, PATHS
from stepforward.data.csv_rows import csv_rows
from stepforward.data.dataset import Dataset
from stepforward.data.names import same_spelling, unknown_class
from stepforward.data.room import check_room
from stepforward.errors import StepforwardError

_REMEDY = "save it as UTF-8 text: a header, then a row of numbers and a label for each time step"

_CLOCKS = {"", "t", "time", "timestamp", "index", "seconds"}


class Table(NamedTuple):
    """A recording.

    Attributes:
        path: of the file.
        lines: line number of each row.
        columns: names in the header.
        rows: fields as text.
    """

    path: Path
    lines: list[int]
    columns: list[str]
    rows: list[list[str]]


def is_recording(path: str | Path) -> bool:
    """Whether a file is a CSV that names a label and no files: its rows are measurements."""
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    rows = csv_rows(path, _REMEDY)
    names = [field.lower() for field in rows[0][1]] if rows else []
    return any(name in LABELS for name in names) and not any(name in PATHS for name in names)


def settings_for(path: str | Path, shape: tuple[int, ...]) -> dict | None:
    """Settings by which a recording gives samples of a shape; None where it has another number of channels.

    All columns but the label are channels, in their order, or all but those that count time, if these are one too many;
    windows touch and do not overlap.

    Args:
        shape: (C, T), or (T, C).
    """
    table = _table(Path(path))
    label = _label(table, None)
    columns = [name for name in table.columns if name != label]
    if len(columns) not in shape:
        columns = [name for name in columns if name.lower() not in _CLOCKS]
    if len(shape) != 2 or len(columns) not in shape:
        return None
    length = shape[1] if shape[0] == len(columns) else shape[0]
    return {"kind": "windows", "length": length, "stride": length, "columns": columns, "label": label}


def labels_of_recording(path: Path, settings: dict) -> list[str]:
    """The labels of a recording, sorted."""
    table = _table(path)
    at = table.columns.index(_label(table, settings.get("label")))
    return sorted({same_spelling(row[at]) for row in table.rows})


def read_windows(path: Path, settings: dict, class_names: Sequence[str] | None) -> Dataset:
    """All windows of a recording, each of rows that follow each other and have one label (and one group).

    Args:
        settings: checked, of kind "windows".
        class_names: the model's; None takes the recording's own, sorted.

    Raises:
        StepforwardError: a column is missing, a field is no number, a label is unknown, or no window fits.
    """
    table = _table(path)
    label, length, stride = _label(table, settings.get("label")), settings["length"], settings["stride"]
    values = _numbers(table, settings)
    marks = [same_spelling(row[table.columns.index(label)]) for row in table.rows]
    names = tuple(sorted(set(marks)) if class_names is None else class_names)
    known = {same_spelling(name): number for number, name in enumerate(names)}
    for mark, line in zip(marks, table.lines, strict=True):
        if mark not in known:
            raise unknown_class(mark, f"{path}, line {line}", names)
    stretches = _stretches(table, marks, settings.get("group"))
    starts = [start for begin, end in stretches for start in range(begin, end - length + 1, stride)]
    if not starts:
        longest = max((end - begin for begin, end in stretches), default=0)
        raise StepforwardError(
            f"{path} has no {length} rows of one label after each other; the longest stretch has {longest}",
            "record longer, or give a model that reads shorter windows",
        )
    x = _cut(path, values, starts, settings)
    y = np.array([known[marks[start]] for start in starts], np.int64)
    sources = tuple(f"{path.name}, line {table.lines[start]}" for start in starts)
    return Dataset(x, y, names, sources, tuple(_notes(path, stretches, length, stride)))


def read_unlabelled(path: Path, settings: dict) -> tuple[NDArray[np.float32], list[str]]:
    """All windows of a recording whatever its labels are, if it has any, and what messages call them."""
    table, length = _table(path), settings["length"]
    starts = list(range(0, len(table.rows) - length + 1, settings["stride"]))
    if not starts:
        raise StepforwardError(
            f"{path} has {len(table.rows)} rows, and a window takes {length}", "record longer"
        )
    x = _cut(path, _numbers(table, settings), starts, settings)
    return x, [f"{path.name}, line {table.lines[start]}" for start in starts]


def _table(path: Path) -> Table:
    rows = csv_rows(path, _REMEDY)
    if len(rows) < 2:
        raise StepforwardError(f"{path} has no rows below a header", _REMEDY)
    (_, columns), *rest = rows
    for line, row in rest:
        if len(row) != len(columns):
            raise StepforwardError(
                f"{path}, line {line} has {len(row)} fields, and the header names {len(columns)} columns",
                "repair or remove the row",
            )
    return Table(path, [line for line, _ in rest], columns, [row for _, row in rest])


def _label(table: Table, name: str | None) -> str:
    """The column of labels: the one that settings name, or the first with a usual name."""
    found = (
        next((column for column in table.columns if column.lower() in LABELS), None) if name is None else name
    )
    if found not in table.columns:
        raise StepforwardError(
            f"{table.path} has no column of labels among {', '.join(table.columns[:20])}",
            f"call one {', '.join(LABELS[:3])} or name it in the settings: label",
        )
    return found


def _numbers(table: Table, settings: dict) -> NDArray[np.float32]:
    """(rows, channels), in the order of the settings, less mean and divided by std."""
    missing = [name for name in settings["columns"] if name not in table.columns]
    if missing:
        raise StepforwardError(
            f"{table.path} has no column {missing[0]!r} (columns: {', '.join(table.columns[:20])})",
            "name the channels in the header as the model's preprocessing does: "
            + ", ".join(settings["columns"][:20]),
        )
    check_room(str(table.path), (len(table.rows), len(settings["columns"])))
    values = np.empty((len(table.rows), len(settings["columns"])), np.float64)
    for channel, name in enumerate(settings["columns"]):
        at = table.columns.index(name)
        for row, fields in enumerate(table.rows):
            values[row, channel] = _number(fields[at], table, row, name)
    mean, std = (np.array(settings.get(key, default)) for key, default in (("mean", 0.0), ("std", 1.0)))
    return ((values - mean) / std).astype(np.float32)


def _number(field: str, table: Table, row: int, name: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise StepforwardError(
            f"{table.path}, line {table.lines[row]}: {name} is {field!r}, not a number",
            "repair or remove the row, or leave the column out of the model's preprocessing",
        )
    return value


def _stretches(table: Table, marks: list[str], group: str | None) -> list[tuple[int, int]]:
    """(first row, row after the last) of rows with one label and one group."""
    if group is not None and group not in table.columns:
        raise StepforwardError(
            f"{table.path} has no column {group!r} (columns: {', '.join(table.columns[:20])})",
            "name the column that divides recordings in the settings: group",
        )
    at = None if group is None else table.columns.index(group)
    keys = [(mark, None if at is None else row[at]) for mark, row in zip(marks, table.rows, strict=True)]
    bounds = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    return list(zip(bounds, [*bounds[1:], len(keys)], strict=True))


def _cut(path: Path, values: NDArray, starts: list[int], settings: dict) -> NDArray[np.float32]:
    """(windows, C, T), or (windows, T, C)."""
    length = settings["length"]
    check_room(str(path), (len(starts), length, values.shape[1]))
    x = np.stack([values[start : start + length] for start in starts])
    return np.ascontiguousarray(x if settings.get("channels_last") else x.swapaxes(1, 2))


def _notes(path: Path, stretches: list[tuple[int, int]], length: int, stride: int) -> list[str]:
    found = []
    short = sum(end - begin < length for begin, end in stretches)
    if short:
        found.append(
            f"{path}: {short} of {len(stretches)} stretches of one label are shorter than {length} rows and give no "
            "window"
        )
    if stride < length:
        found.append(
            f"{path}: windows overlap (stride {stride}, length {length}), so held-out ones share rows with others: "
            "measure on a recording of its own (--test)"
        )
    return found
