"""`stepforward replay`."""

from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Json, Output
from stepforward.cli.outcome import Outcome


def replay(
    base: Annotated[
        Path, typer.Argument(metavar="BASE", help="The quantized .onnx or .tflite file the run started from.")
    ],
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The file journal of the run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the adapted file, .onnx or .tflite as the base.",
            show_default="write none, print its hash",
        ),
    ] = None,
    output: Output = None,
    as_json: Json = False,
) -> Outcome:
    """Rebuild an adapted network from its base and a journal of a few kilobytes, without the data.

    [bold]Example:[/bold] stepforward replay digits.onnx runs/digits-1/journal --out again.onnx
    """
    from stepforward.report.terminal import replayed
    from stepforward.verbs.replay import replay as verb

    return Outcome(verb(base, journal, out=out, output=output), replayed)
