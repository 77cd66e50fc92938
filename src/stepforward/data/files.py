"""A sample on disk, before it is read."""

from pathlib import Path
from typing import NamedTuple


class LabelledFile(NamedTuple):
    """The file, its class name, its short name for reports, its place for messages."""

    path: Path
    label: str
    source: str
    where: str
