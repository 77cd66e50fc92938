"""`stepforward demo`."""

import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Json
from stepforward.cli.outcome import Outcome
from stepforward.cli.stopped import stopped
from stepforward.errors import StepforwardError


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Run folder: adapted.onnx, journal, result.json, report.html.")
    ] = Path("stepforward-demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a stopped demo in DIR.")] = False,
    export_clips: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Only write the demo's recordings there as folders of .wav files, to try other commands on.",
        ),
    ] = None,
    as_json: Json = False,
) -> Outcome:
    """Adapt a spoken-digit recogniser to a speaker it never heard; all that is needed is in the package.

    [bold]Example:[/bold] stepforward demo
    """
    if export_clips is not None:
        from stepforward.digits.clips import export_clips as export
        from stepforward.report.terminal import exported

        adapting, testing = export(export_clips)
        return Outcome({"data": str(adapting), "test": str(testing)}, exported)

    if resume and overwrite:
        raise StepforwardError("both --resume and --overwrite are given", "give one of them")
    if (out / "journal").exists() and not (resume or overwrite):
        raise StepforwardError(
            f"{out} already holds a run",
            "replace it with --overwrite, resume it with --resume, or choose another --out",
        )
    from stepforward.report.progress import watch
    from stepforward.report.terminal import demonstration
    from stepforward.verbs.demo import demo as verb

    with watch() as progress:
        try:
            result = verb(out=out, overwrite=overwrite, resume=resume, on_progress=progress)
        except KeyboardInterrupt:
            raise stopped(progress.step, out, ["demo", "--out", str(out)]) from None
    return Outcome(replace(result, out=str(out), next=_next(out)), demonstration)


def _next(out: Path) -> list[str]:
    """Three commands to try after the demo, as this program can be called from here."""
    program = "stepforward"
    if shutil.which(program) is None:
        called = Path(sys.argv[0])
        program = str(called) if called.name == program else shlex.join([sys.executable, "-m", program])
    return [
        f"{program} demo --export-clips clips",
        f"{program} predict {shlex.quote(str(out / 'adapted.onnx'))} clips/test/seven/*.wav",
        f"{program} check YOUR_NETWORK.onnx",
    ]
