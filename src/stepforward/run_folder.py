"""The folder of a run: what it holds, and the refusal to overwrite another run."""

import json
from pathlib import Path

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.files import write_atomically
from stepforward.frontend.onnx import save_onnx
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.report.html import write_report

JOURNAL, RESULT, REPORT = "journal", "result.json", "report.html"
ADAPTED, ADAPTED_PROGRAM, BASE = "adapted.onnx", "adapted.sfp", "base.onnx"


def open_run_folder(out: str | Path | None, resume: bool) -> Path | None:
    """Make the folder of a new run, or find the one to resume; None where no folder is wanted.

    Raises:
        StepforwardError: it holds a run already (or none to resume), or cannot be made.
    """
    if out is None:
        if resume:
            raise StepforwardError("nothing to resume: no run folder is given", "name it with --out DIR")
        return None
    folder = Path(out)
    if resume and not (folder / JOURNAL).exists():
        raise StepforwardError(f"{folder} holds no journal to resume", "start the run without --resume")
    if not resume and (folder / JOURNAL).exists():
        raise StepforwardError(
            f"{folder} already holds a run",
            "add --resume to go on with it, or choose another folder with --out",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StepforwardError(
            f"cannot make the folder {folder}: {error.strerror}", "choose another --out"
        ) from error
    return folder


def write_run(folder: Path, result: dict, graph: ir.Model, program: Program | None) -> None:
    """Write everything but the journal, `result.json` last: where it exists, the run is complete."""
    save_onnx(graph, folder / ADAPTED)
    if program is not None:
        fileformat.save(program, folder / ADAPTED_PROGRAM)
    write_report(result, folder / REPORT)
    write_atomically(folder / RESULT, (json.dumps(result, indent=1) + "\n").encode())
