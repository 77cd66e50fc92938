"""Lists of files with their labels, as spreadsheets and scripts write them."""

import unicodedata
from pathlib import Path, PureWindowsPath

from stepforward.data.csv_rows import csv_rows
from stepforward.data.files import LabelledFile
from stepforward.data.names import same_spelling
from stepforward.errors import StepforwardError

PATHS = ("path", "filename", "file", "file_name", "filepath", "file_path", "image", "audio")
LABELS = ("label", "class", "class_name", "category", "target", "activity")
"""Usual names of columns, in lower case."""
_SHOWN = 3


def list_csv(path: Path) -> list[LabelledFile]:
    """The samples of a CSV of `path,label`.

    Paths are relative to the CSV. Commas, semicolons or tabs divide the fields. A header row may come first; with
    one, further columns are passed over.

    Raises:
        StepforwardError: not text, a row without a path and a label (with its line), labels that are measurements,
            or missing files (how many, and the first).
    """
    rows = csv_rows(path, "save it as UTF-8 text with rows of path,label")
    columns = _columns(rows[0][1]) if rows else None
    files = [_file(path, line, row, columns) for line, row in (rows[1:] if columns else rows)]
    missing = [file for file in files if not _is_file(file.path)]
    if missing:
        shown = [f"line {file.where.rpartition(' ')[2]}: {file.source}" for file in missing[:_SHOWN]]
        shown += ["..."] if len(missing) > _SHOWN else []
        raise StepforwardError(
            f"{path}: {len(missing)} of {len(files)} files are not there ({', '.join(shown)})",
            f"correct the paths (they are relative to {path.parent}), or remove the rows",
        )
    if len({file.label for file in files}) > 2 and all(map(_is_measurement, {file.label for file in files})):
        raise StepforwardError(
            f"{path}: the labels are numbers such as {files[0].label}: regression, not classes",
            "stepforward adapts classifiers: give a class name per file; regression is not supported",
        )
    return files


def _columns(row: list[str]) -> tuple[int, int] | None:
    """Where a header row has path and label; None for a row that is no header."""
    names = [field.lower() for field in row]
    path, label = (
        next((names.index(name) for name in known if name in names), None) for known in (PATHS, LABELS)
    )
    return None if path is None or label is None else (path, label)


def _file(path: Path, line: int, row: list[str], columns: tuple[int, int] | None) -> LabelledFile:
    where = f"{path}, line {line}"
    fields = [row[column] for column in columns if column < len(row)] if columns else row
    if len(fields) != 2 or not all(fields):
        more = "; with more columns, the first row must name them: path, label" if len(row) > 2 else ""
        raise StepforwardError(
            f"{where}: {','.join(row)!r} is not a path and a label", f"write path,label{more}"
        )
    name, label = fields
    return LabelledFile(_find(path.parent, name), same_spelling(label), name, where)


def _find(folder: Path, name: str) -> Path:
    """The file of that name, also as Windows divides paths and as a Mac spells them."""
    spellings = [name, PureWindowsPath(name).as_posix()]
    spellings += [unicodedata.normalize(form, spellings[1]) for form in ("NFC", "NFD")]
    paths = [folder / spelling for spelling in spellings if "\0" not in spelling]
    return next((path for path in paths if _is_file(path)), folder / name.replace("\0", ""))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _is_measurement(label: str) -> bool:
    try:
        return not float(label).is_integer()
    except (ValueError, OverflowError):
        return False
