"""From an exception to what a person reads: what happened, what to do, and the exit code."""

import errno
from typing import NamedTuple

from stepforward.cli.outcome import StoppedError
from stepforward.errors import StepforwardError

USER_ERROR, BUG, INTERRUPTED = 2, 70, 130
_REMEDIES = {
    errno.ENOSPC: "free some disk space, or write elsewhere with --out",
    errno.EDQUOT: "free some disk space, or write elsewhere with --out",
    errno.EACCES: "check the permissions of this path",
    errno.EPERM: "check the permissions of this path",
    errno.EROFS: "the disk is read-only: write elsewhere with --out",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


class Failure(NamedTuple):
    """What to tell, and the exit code; `bug` asks for the traceback."""

    what: str
    remedy: str
    code: int
    bug: bool = False


def explain(error: BaseException) -> Failure:
    """What an exception means for the person who gave the command."""
    if isinstance(error, StepforwardError):
        return Failure(error.what, error.remedy, USER_ERROR)
    if isinstance(error, StoppedError):
        return Failure(error.what, error.remedy, INTERRUPTED)
    if isinstance(error, KeyboardInterrupt):
        return Failure("stopped", "nothing was written; give the command again", INTERRUPTED)
    if isinstance(error, MemoryError):
        return Failure(
            "out of memory", "give less data or a smaller --batch, or close other programs", USER_ERROR
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        remedy = _REMEDIES.get(error.errno or 0, "check the path and the disk, then give the command again")
        return Failure(f"{place}{error.strerror or error}", remedy, USER_ERROR)
    if hasattr(
        error, "format_message"
    ):  # typer: an unknown option, a missing argument, a value of the wrong type
        return Failure(
            error.format_message(), "stepforward --help, or stepforward COMMAND --help", USER_ERROR
        )
    return Failure(
        f"internal error: {type(error).__name__}: {error}",
        "this is a bug: please report it with the traceback",
        BUG,
        True,
    )
