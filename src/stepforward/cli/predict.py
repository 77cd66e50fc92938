"""`stepforward predict`."""

from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Classes, Fixed, Follow, Image, InputShape, Json, Model, Output, Preprocess
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import setting
from stepforward.settings import Settings


def predict(
    model: Model,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Images, sounds, or .npz files with x.")
    ],
    top: Annotated[
        int,
        typer.Option(metavar="K", min=1, help="How many classes to name for each sample, likeliest first."),
    ] = 1,
    classes: Classes = None,
    image: Image = None,
    preprocess: Preprocess = None,
    input_shape: InputShape = None,
    output: Output = None,
    fixed_inputs: Fixed = None,
    runtime: Annotated[str, setting("runtime")] = Settings.runtime,
    threads: Annotated[int | None, setting("threads")] = None,
    follow: Follow = False,
    as_json: Json = False,
) -> Outcome:
    """Say which class the network sees in files without labels, and how likely it takes it to be.

    [bold]Example:[/bold] stepforward predict runs/digits-1/adapted.onnx recording.wav --top 3
    """
    from stepforward.report.predictions import predictions
    from stepforward.run.complete import complete
    from stepforward.sources.open import open_source
    from stepforward.verbs.predict import predict as verb

    opened = complete(
        open_source(model, input_shape, runtime, output, fixed_inputs), files[0], classes, image, preprocess
    )
    found = verb(opened, files, top=top, threads=threads, follow=follow)
    return Outcome({"predictions": found, "notes": opened.notes}, predictions)
