"""A file in memory for readers that want a path."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def folder() -> Path:
    """An empty folder of this process, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="stepforward-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def as_file(content: bytes, name: str) -> Path:
    """The content as a file of that name."""
    path = folder() / name
    path.write_bytes(content)
    return path
