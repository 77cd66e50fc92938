"""Finished runs, one line of JSON each: written as soon as a run ends, and not run again while its inputs are equal."""

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT

FILE = RESULTS / "learning.json"
LOCK = ROOT / "build" / "learning" / "rows.lock"
KEY = ("task", "train", "method", "settings", "seed")
"""What a row is of; one row of each."""

Row = dict[str, Any]


def key(row: Row) -> str:
    """The key of a row, as text that sorts."""
    return json.dumps([row[name] for name in KEY], sort_keys=True)


def read(path: Path = FILE) -> dict[str, Row]:
    """All rows by key; none where there is no file."""
    if not path.exists():
        return {}
    return {key(row): row for row in json.loads(path.read_text())["rows"]}


def found(wanted: Row, path: Path = FILE) -> Row | None:
    """The finished run that `wanted` asks for, if its inputs are still the same.

    `inputs` are compared whole; of `resolved`, every setting as the run would use it, those that both know: a setting
    that did not exist when the row was made was not in use.
    """
    row = read(path).get(key(wanted))
    if row is None or row["inputs"] != wanted["inputs"]:
        return None
    then, now = row["resolved"], wanted["resolved"]
    return row if all(then[name] == now[name] for name in then.keys() & now.keys()) else None


def put(row: Row, path: Path = FILE, lock: Path = LOCK) -> None:
    """Add a row, or replace the one of the same key; other processes may do the same at the same time.

    Rows of the task as it was before its inputs changed are dropped: tables must not mix them with new ones.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        rows = {name: old for name, old in read(path).items() if not outdated(old, row)} | {key(row): row}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text(rows[name] for name in sorted(rows)))
        part.replace(path)


def outdated(old: Row, new: Row) -> bool:
    """Whether a row is of the same task with other samples or another base."""
    return old["task"] == new["task"] and old["inputs"] != new["inputs"]


def text(rows: Iterable[Row]) -> str:
    """The file's content: a line per row, so that a change of one is a change of one line."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{{"command": "make bench-learning", "rows": [\n{lines}\n]}}\n'
