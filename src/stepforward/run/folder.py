"""The folder of a run: what it holds, and the refusal to overwrite another run."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepforward.errors import StepforwardError
from stepforward.files import clear_temporary, lock, plain, read_file, write_atomically
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.report.html import write_report
from stepforward.run.result import RunResult
from stepforward.run.resume_point import RESUME
from stepforward.run.training import CurveRow
from stepforward.sources.source import Source
from stepforward.strict_json import parse_json

JOURNAL, RESULT, REPORT = "journal", "result.json", "report.html"
ADAPTED, ADAPTED_TFLITE, ADAPTED_PROGRAM, BASE = "adapted.onnx", "adapted.tflite", "adapted.sfp", "base.onnx"
_CURVE = {"step", "train_loss", "validation_loss", "validation_accuracy"}
FILES = (JOURNAL, RESUME, RESULT, REPORT, ADAPTED, ADAPTED_TFLITE, ADAPTED_PROGRAM, BASE)


def run_folder(out: str | Path | None, resume: bool, overwrite: bool = False) -> Path | None:
    """The folder of a new run, not made yet, or of the one to resume; None where no folder is wanted.

    Args:
        out: the folder.
        resume: whether it holds a run that is to be resumed.
        overwrite: whether an earlier run there is to be replaced.

    Raises:
        StepforwardError: it holds a run already, or none to resume.
    """
    if out is None:
        if resume:
            raise StepforwardError("nothing to resume: no run folder is given", "name it with --out DIR")
        return None
    folder = Path(out)
    if resume and not (folder / JOURNAL).exists():
        raise StepforwardError(f"{folder} holds no journal to resume", "start the run without --resume")
    if resume or overwrite:
        return folder
    there = next((name for name in FILES if (folder / name).exists()), None)
    if there == JOURNAL:
        raise StepforwardError(
            f"{folder} already holds a run",
            "add --resume to resume it, --overwrite to replace it, or choose another folder with --out",
        )
    if there:
        raise StepforwardError(
            f"{folder} already holds {there}, which a run would write over",
            "choose another folder with --out, or add --overwrite",
        )
    return folder


@contextlib.contextmanager
def claimed(folder: Path | None, resume: bool, overwrite: bool = False) -> Iterator[None]:
    """Keep a run folder to this process while it runs: make it, lock it, and clear what a killed run left half written.

    A folder that was made here and is empty at the end, because the run was refused, is removed again.

    Args:
        folder: of `run_folder`; nothing is done for None.
        resume: as there: looked at again now that no other process can write there.
        overwrite: whether an earlier run there is to be replaced (`remove_run`, once everything is checked).

    Raises:
        StepforwardError: it cannot be made or written, another process is running in it, or it has come to hold a run.
    """
    if folder is None:
        yield
        return
    made = _make(folder)
    try:
        with _locked(folder):
            for name in FILES:
                clear_temporary(folder / name)
            run_folder(folder, resume, overwrite)
            yield
    finally:
        for path in made:  # the innermost first
            with contextlib.suppress(OSError):  # it is not empty
                path.rmdir()


def remove_run(folder: Path) -> None:
    """Remove the files of an earlier run, its result first: what is left without one is no complete run.

    Raises:
        StepforwardError: they cannot be removed.
    """
    try:
        for name in sorted(FILES, key=(RESULT, JOURNAL).__contains__, reverse=True):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise StepforwardError(
            f"cannot remove {error.filename}: {error.strerror}", "choose another --out"
        ) from error


def _make(folder: Path) -> list[Path]:
    """The folders that had to be made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StepforwardError(
            f"cannot make the folder {folder}: {error.strerror}", "choose another --out"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StepforwardError(
            f"cannot write into the folder {folder}", "check its permissions, or choose another --out"
        )
    return missing


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            lock(handle)
        except BlockingIOError as error:
            raise StepforwardError(
                f"another process is running in {folder}",
                "wait until it ends, or choose another folder with --out",
            ) from error
        yield
    finally:
        os.close(handle)


def write_run(folder: Path, result: RunResult, model: Source, program: Program | None) -> None:
    """Write everything but the journal, `result.json` last: where it exists, the run is complete.

    Raises:
        StepforwardError: the disk is full, or the folder can no longer be written.
    """
    try:
        model.save(folder / {".tflite": ADAPTED_TFLITE}.get(model.suffix, ADAPTED))
        if program is not None:
            fileformat.save(program, folder / ADAPTED_PROGRAM)
        write_report(result, folder / REPORT)
        text = json.dumps(plain(result), indent=1, allow_nan=False) + "\n"
        write_atomically(folder / RESULT, text.encode())
        with contextlib.suppress(OSError):  # nothing reads it any more
            (folder / RESUME).unlink(missing_ok=True)
    except StepforwardError as error:
        if not (folder / JOURNAL).exists():
            raise
        raise StepforwardError(
            error.what,
            "make room, then give the same command with --resume: the journal holds the run, nothing is trained again",
        ) from error


def earlier_figures(folder: Path, weights_sha256: str) -> dict:
    """Fields that only the process that trained could measure, where a finished run is measured again."""
    try:
        earlier = parse_json(read_file(folder / RESULT))
    except (StepforwardError, ValueError):
        return {}  # no whole result: the run had not been finished
    if not isinstance(earlier, dict) or earlier.get("weights_sha256") != weights_sha256:
        return {}
    figures = {name: earlier.get(name) for name in ("seconds", "steps_per_second", "forward_passes", "curve")}
    curve: Any = figures["curve"]
    if not isinstance(curve, list) or not all(
        isinstance(row, dict) and row.keys() == _CURVE for row in curve
    ):
        return {}
    numbers = [figures[name] for name in ("seconds", "steps_per_second", "forward_passes")]
    if not all(map(_is_number, [*numbers, *(row["step"] for row in curve)])):
        return {}
    if not all(value is None or _is_number(value) for row in curve for value in row.values()):
        return {}
    return {**figures, "curve": tuple(CurveRow(**row) for row in curve)}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 2**53
