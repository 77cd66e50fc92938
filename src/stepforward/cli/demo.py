"""`stepforward demo`."""

from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Json
from stepforward.cli.outcome import Outcome, StoppedError
from stepforward.cli.progress import watch


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Run folder; an earlier demo in it is refused.")
    ] = Path("stepforward-demo"),
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
        from stepforward.demo.clips import export_clips as export
        from stepforward.report.terminal import exported

        adapting, testing = export(export_clips)
        return Outcome({"data": str(adapting), "test": str(testing)}, exported)

    from stepforward.demo.run import demo as verb
    from stepforward.report.terminal import adaptation

    with watch() as progress:
        try:
            result = verb(out=out, on_progress=progress)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped after step {progress.step:,}", "give the command again") from None
    return Outcome({**result, "out": str(out)}, adaptation)
