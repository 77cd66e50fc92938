"""Which files there are and what they show: folders with one sub-folder per class, and CSV lists."""

import csv
from pathlib import Path
from typing import NamedTuple

from stepforward.data import preprocessing as prep
from stepforward.errors import StepforwardError

_MEDIA = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"} | {
    ".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav",
}  # fmt: skip


class LabelledFile(NamedTuple):
    """A sample on disk: the file, its class name, its short name for reports, its place for messages."""

    path: Path
    label: str
    source: str
    where: str


def list_folder(folder: Path, settings: dict) -> list[LabelledFile]:
    """The samples of a folder with one sub-folder per class, sorted by class and file name.

    Hidden files, and files that are neither pictures nor sounds, are passed over.

    Raises:
        StepforwardError: no sub-folders, an empty one, or media the model does not read.
    """
    suffixes = prep.SUFFIXES[settings["kind"]]
    if not suffixes:
        prep.read(settings, folder)  # raises: this model reads no files
    classes = [entry for entry in _visible(folder) if entry.is_dir()]
    if not classes:
        raise StepforwardError(
            f"{folder} has no sub-folders",
            "put the samples into one sub-folder per class, named like the class",
        )
    return [file for entry in classes for file in _class_files(entry, suffixes)]


def list_csv(path: Path) -> list[LabelledFile]:
    """The samples of a CSV of `path,label`; paths are relative to the CSV, a header row may come first.

    Raises:
        StepforwardError: not UTF-8 CSV, a row that is not two fields, or a missing file (with the line).
    """
    files = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            for row in reader:
                if not any(field.strip() for field in row) or (not files and _is_header(row)):
                    continue
                files.append(_csv_file(path, reader.line_num, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StepforwardError(
            f"{path} cannot be read as a CSV ({error})", "save it as UTF-8 text with rows of path,label"
        ) from error
    return files


def _class_files(folder: Path, suffixes: tuple[str, ...]) -> list[LabelledFile]:
    files = []
    for entry in _visible(folder):
        suffix = entry.suffix.lower()
        is_file = entry.is_file() or not entry.exists()  # a broken link is told when it is read
        if not is_file or suffix not in _MEDIA:
            continue
        if suffix not in suffixes:
            raise StepforwardError(
                f"{entry}: this model reads {', '.join(suffixes)} files", "convert the file, or remove it"
            )
        files.append(LabelledFile(entry, folder.name, f"{folder.name}/{entry.name}", str(entry)))
    if not files:
        raise StepforwardError(
            f"class folder {folder} holds no {', '.join(suffixes)} files", "add samples, or remove the folder"
        )
    return files


def _csv_file(path: Path, line: int, row: list[str]) -> LabelledFile:
    where = f"{path}, line {line}"
    if len(row) != 2 or not all(field.strip() for field in row):
        raise StepforwardError(f"{where}: {','.join(row)!r} is not a path and a label", "write path,label")
    name, label = (field.strip() for field in row)
    file = path.parent / name
    if not file.is_file():
        raise StepforwardError(
            f"{where}: there is no file {file}",
            "correct the path (it is relative to the CSV), or remove the row",
        )
    return LabelledFile(file, label, name, where)


def _is_header(row: list[str]) -> bool:
    return [field.strip().lower() for field in row] == ["path", "label"]


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise StepforwardError(f"cannot read {folder}: {error.strerror}", "check its permissions") from error
