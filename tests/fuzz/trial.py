"""One input through one reader, within limits; and what went wrong, if something did."""

import resource
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from stepforward.errors import StepforwardError

SECONDS = 10.0
"""Of processor time, so that a busy machine finds nothing; a reader that waits has six times as long."""

MEGABYTES = 1024
"""More than this above what the process holds at its start is a finding."""


class TooSlowError(BaseException):
    """Not an Exception: no reader may catch it."""


def limit_memory() -> None:
    """Let this process map no more than `MEGABYTES` above what it holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _late(*_):
    raise TooSlowError(f"more than {SECONDS:g} s of processor time, or {6 * SECONDS:g} s")


def _limit(seconds: float) -> None:
    for timer, signal_number in ((signal.ITIMER_PROF, signal.SIGPROF), (signal.ITIMER_REAL, signal.SIGALRM)):
        signal.signal(signal_number, _late)
        signal.setitimer(timer, seconds if timer == signal.ITIMER_PROF else 6 * seconds)


def trial(read: Callable[[bytes], object], content: bytes) -> tuple[str, str]:
    """("read" or "refused", ""), or ("found", where and what).

    Warnings count as findings, as in the tests.
    """
    _limit(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(content)
        return "read", ""
    except StepforwardError as error:
        good = error.what and error.remedy and "\n" not in error.what and len(error.what) < 2000
        return (
            ("refused", "") if good else ("found", f"message: {error.what[:200]!r}, {error.remedy[:200]!r}")
        )
    except (Exception, TooSlowError) as error:
        return "found", described(error)
    finally:
        _limit(0)


def described(error: BaseException) -> str:
    """The last place in the package, and the error: one text for one fault."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "stepforward/" in frame.filename] or frames
    place = f"{ours[-1].filename.rpartition('stepforward/')[2]}:{ours[-1].lineno}" if ours else "?"
    return f"{place} {type(error).__name__}"
