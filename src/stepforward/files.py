"""Files: only ordinary ones are read, what is written is whole or not there, and JSON is such as any parser reads."""

import contextlib
import errno
import fcntl
import glob
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from stepforward.errors import StepforwardError

_TEMPORARY = ".tmp"


def check_regular(path: str | Path) -> None:
    """Refuse what is no ordinary file. A pipe, a device or a socket could be read for ever.

    Raises:
        StepforwardError: there is nothing, or something else.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise StepforwardError(f"cannot find {path}", "check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise StepforwardError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}", "check the path"
        ) from error
    if stat.S_ISDIR(mode):
        raise StepforwardError(f"{path} is a folder, not a file", "give the file itself")
    if not stat.S_ISREG(mode):
        raise StepforwardError(
            f"{path} is a pipe, a device or a socket, not a file", "save its content as a file, and give that"
        )


def read_file(path: str | Path) -> bytes:
    """The bytes of an ordinary file.

    Raises:
        StepforwardError: it cannot be read, or is no ordinary file.
    """
    try:
        check_regular(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise StepforwardError(f"cannot read {path}: {error.strerror}", "check its permissions") from error


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to a temporary file next to `path`, sync it and rename it over `path`.

    Temporary files that a killed process left for the same path are removed.

    Raises:
        StepforwardError: the folder is missing or read-only, or the disk is full; what was at `path` stays as it was.
    """
    path = Path(path)
    temporary = None
    try:
        clear_temporary(path)
        file, temporary = _open_temporary(path)
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StepforwardError(
            f"cannot write {path}: {error.strerror or error}",
            f"{_remedy(error)}, or choose another place with --out; nothing that existed was changed",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):  # it has its new name, or the disk is broken
                os.unlink(temporary)


def clear_temporary(path: Path) -> None:
    """Remove the temporary files of `path` whose writers are gone: who writes one holds a lock on it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_TEMPORARY}"):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            if lock(file.fileno()):
                left.unlink()


def lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed; False where the file system has no locks.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _open_temporary(path: Path) -> tuple[BinaryIO, str]:
    """A new file next to `path`, locked and still there: another process may have cleared it before it was locked."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_TEMPORARY, dir=path.parent)
        file = os.fdopen(handle, "wb")
        with contextlib.suppress(BlockingIOError):
            lock(handle)
        if os.fstat(file.fileno()).st_nlink:
            return file, name
        file.close()


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some disk space"
    return "check that the folder exists and that you may write there"


def refuse_to_replace(out: str | Path | None, *inputs: Any) -> None:
    """Refuse an output that is one of the inputs.

    Raises:
        StepforwardError: it is.
    """
    for given in inputs:
        is_path = isinstance(given, (str, Path))
        if out is not None and is_path and Path(out).resolve() == Path(given).resolve():
            raise StepforwardError(f"{out} is what was given to read", "choose another place to write to")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def plain(value: Any) -> Any:
    """The value as JSON can say it: NumPy as lists, NaN and Inf as null, everything else unknown as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy
        return plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
