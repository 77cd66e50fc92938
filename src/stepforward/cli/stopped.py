"""What to say when Ctrl-C ends a run."""

import shlex
from pathlib import Path

from stepforward.cli.outcome import StoppedError


def stopped(step: int, folder: Path, words: list[str]) -> StoppedError:
    """What a person who pressed Ctrl-C needs: the same command, with --resume.

    Args:
        step: the last step taken.
        folder: of the run.
        words: the command that was given, without `stepforward`.
    """
    if not (folder / "journal").exists():
        return StoppedError("stopped; no journal was kept", "give the command again")
    again = ["stepforward", *(word for word in words if word not in ("--resume", "--overwrite"))]
    if not any(word.split("=")[0] == "--out" for word in words):
        again += ["--out", str(folder)]
    return StoppedError(
        f"stopped after step {step:,}; nothing is lost", f"resume with: {shlex.join([*again, '--resume'])}"
    )
