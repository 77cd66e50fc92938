"""Writing files so that a crash, a full disk or Ctrl-C never leaves half of one."""

import os
import tempfile
from pathlib import Path

from stepforward.errors import StepforwardError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, sync it and rename it over `path`.

    Raises:
        StepforwardError: the folder is missing or read-only, or the disk is full; what was at `path` stays as it was.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise StepforwardError(
            f"cannot write {path}: {error.strerror or error}",
            "free some disk space or choose another place with --out; nothing that existed was changed",
        ) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
