"""The rows of a CSV, as spreadsheets and scripts write them."""

import csv
import io
from pathlib import Path

from stepforward.errors import StepforwardError
from stepforward.files import read_file


def csv_rows(path: Path, remedy: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their line numbers; commas, semicolons or tabs divide the fields.

    Args:
        remedy: what to do where it is not text.

    Raises:
        StepforwardError: the file cannot be read as a CSV.
    """
    try:
        content = read_file(path)
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        first = text.lstrip().partition("\n")[0]
        delimiter = next((mark for mark in ",;\t" if mark in first), ",")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [
            (reader.line_num, [field.strip() for field in row])
            for row in reader
            if any(field.strip() for field in row)
        ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StepforwardError(f"{path} cannot be read as a CSV ({error})", remedy) from error
