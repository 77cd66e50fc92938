"""`stepforward adapt`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stepforward.cli.options import (
    ADVANCED,
    Classes,
    Data,
    Fixed,
    Image,
    InputShape,
    Json,
    Model,
    Output,
    Preprocess,
    advanced,
)
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import with_settings
from stepforward.cli.stopped import stopped
from stepforward.errors import StepforwardError
from stepforward.presets import PRESETS, options_of
from stepforward.settings import TABLE


@with_settings(tuple(TABLE), after="resume")
def adapt(
    context: typer.Context,
    model: Model,
    data: Data,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Other labelled samples to measure on, before and after; used for nothing else.",
            show_default="measure on the validation samples, which is optimistic",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run folder: adapted.onnx (or .tflite), adapted.sfp, journal, result.json, report.html.",
            show_default="a new folder runs/MODEL-n",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume the stopped run in --out, with the same model, data and options; "
            "the weights come out the same to the last bit.",
        ),
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Settings to start from; what is given besides counts instead. "
            + " ".join(f"{name}: {options_of(name)}." for name in PRESETS),
            show_default="the defaults below",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    classes: Classes = None,
    image: Image = None,
    preprocess: Annotated[str | None, advanced(Preprocess)] = None,
    input_shape: InputShape = None,
    output: Annotated[str | None, advanced(Output)] = None,
    fixed_inputs: Annotated[str | None, advanced(Fixed)] = None,
    as_json: Json = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace an earlier run in --out, once model, data and options have been checked.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    **settings: Any,
) -> Outcome:
    """Adapt a network to your own samples, by forward passes only.

    Part of DATA is held out to choose the weights that are kept: if nothing helped, you get back what you gave.

    [bold]Example:[/bold] stepforward adapt digits.onnx --data my_clips --test other_clips --steps 1500 --directions 8
    """
    if settings["steps"] is not None and settings["minutes"] is not None:
        raise StepforwardError("both --steps and --minutes are given", "give one of them")
    if resume and overwrite:
        raise StepforwardError("both --resume and --overwrite are given", "give one of them")
    if resume and out is None:
        raise StepforwardError("--resume without --out", "name the folder of the stopped run with --out DIR")
    folder = out or _new_folder(model)

    from stepforward.report.progress import watch
    from stepforward.verbs.adapt import adapt as verb

    with watch() as progress:
        try:
            result = verb(
                model,
                data,
                test=test,
                out=folder,
                resume=resume,
                overwrite=overwrite,
                classes=classes,
                image=image,
                preprocess=preprocess,
                input_shape=input_shape,
                output=output,
                fixed_inputs=fixed_inputs,
                on_progress=progress,
                preset=preset,
                **_given(context, settings),
            )
        except KeyboardInterrupt:
            raise stopped(progress.step, folder, context.find_root().obj) from None
    return Outcome(replace(result, out=str(folder)), type(result).drawing)


def _given(context: typer.Context, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, for a preset to tell them from defaults."""
    sources = {name: context.get_parameter_source(name) for name in settings}
    return {name: settings[name] for name, source in sources.items() if source and source.name != "DEFAULT"}


def _new_folder(model: Path) -> Path:
    number = 1
    while (folder := Path("runs") / f"{model.stem}-{number}").exists():
        number += 1
    return folder
