"""Standard output and error that cannot be written: a full disk, a reader that has gone."""

import os
import sys
import traceback


def take_any_text() -> None:
    """Let both streams print any name, in any locale."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def comes_from_printing(error: OSError) -> bool:
    """Whether the command line or one of the libraries that print for it raised this error, as `--help` can."""
    *_, (innermost, _line) = traceback.walk_tb(error.__traceback__)
    name = innermost.f_globals["__name__"]
    return name.startswith("stepforward.cli.") or name.split(".")[0] in ("rich", "typer", "click")


def abandon_broken() -> None:
    """Send what is left for a stream that cannot be written to nowhere, where it would become a traceback at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
