"""`stepforward inspect`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Classes, Data, Fixed, Image, InputShape, Json, Output, Preprocess, grouped
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import setting
from stepforward.errors import StepforwardError
from stepforward.settings import Settings

_GROUP = "With --sensitivity"


def inspect(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A quantized .onnx file, an int8 .tflite file, or a program (.sfp); with --sensitivity a float or "
            "quantized .onnx file.",
        ),
    ],
    train: Annotated[str, setting("train")] = Settings.train,
    sizes: Annotated[str, setting("sizes")] = Settings.sizes,
    epsilon: Annotated[float | None, setting("epsilon")] = Settings.epsilon,
    lr: Annotated[float | None, setting("lr")] = Settings.lr,
    runtime: Annotated[str, setting("runtime")] = Settings.runtime,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity",
            help="Show where the accuracy goes instead: what each layer loses when it alone is in fixed point, "
            "measured on --data, and which activations to keep at 16 bits. Give the float model: of a quantized one "
            "the weights count as exact.",
        ),
    ] = False,
    data: Annotated[Path | None, grouped(Data, _GROUP)] = None,
    bits: Annotated[str, setting("bits", _GROUP)] = Settings.bits,
    calibration: Annotated[str, setting("calibration", _GROUP)] = Settings.calibration,
    wide: Annotated[str, setting("wide", _GROUP)] = Settings.wide,
    samples: Annotated[
        int,
        typer.Option(
            metavar="N", help="Samples to measure, spread over the data.", rich_help_panel=_GROUP, min=1
        ),
    ] = 200,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Also write a page with a bar chart.", rich_help_panel=_GROUP),
    ] = None,
    classes: Annotated[str | None, grouped(Classes, _GROUP)] = None,
    image: Annotated[str | None, grouped(Image, _GROUP)] = None,
    preprocess: Annotated[str | None, grouped(Preprocess, _GROUP)] = None,
    input_shape: Annotated[str | None, grouped(InputShape, _GROUP)] = None,
    output: Output = None,
    fixed_inputs: Annotated[str | None, grouped(Fixed, _GROUP)] = None,
    as_json: Json = False,
) -> Outcome:
    """Show operators, formats, memory, and how far probes and steps would move each weight.

    [bold]Example:[/bold] stepforward inspect digits.onnx --train last:2 --epsilon 1e-3

    With --sensitivity: where quantizing costs accuracy, and what to do.

    [bold]Example:[/bold] stepforward inspect digits_float.onnx --sensitivity --data my_clips --report layers.html
    """
    if sensitivity:
        if data is None:
            raise StepforwardError(
                "--sensitivity measures on samples, and there are none", "give --data DATA"
            )
        return _sensitivity(
            model,
            data,
            report,
            bits=bits,
            calibration=calibration,
            wide=wide,
            samples=samples,
            classes=classes,
            image=image,
            preprocess=preprocess,
            input_shape=input_shape,
            output=output,
            fixed_inputs=fixed_inputs,
        )
    asked = None if wide == Settings.wide else wide
    given = {"--data": data, "--report": report, "--image": image, "--classes": classes, "--wide": asked}
    given["--fixed-inputs"] = fixed_inputs
    unused = next((name for name, value in given.items() if value), None)
    if unused is not None:
        raise StepforwardError(f"{unused} is for --sensitivity", "add --sensitivity, or leave it out")
    from stepforward.report.terminal import inspection
    from stepforward.verbs.inspect import inspect as verb

    found = verb(model, train=train, sizes=sizes, epsilon=epsilon, lr=lr, runtime=runtime, output=output)
    return Outcome(found, inspection)


def _sensitivity(model: Path, data: Path, report: Path | None, **options: object) -> Outcome:
    from stepforward.files import refuse_to_replace
    from stepforward.report.progress import counting
    from stepforward.report.sensitivity import layers, write_page
    from stepforward.verbs.sensitivity import sensitivity as verb

    refuse_to_replace(report, model, data)
    with counting("measured") as progress:
        found = asdict(verb(model, data, on_progress=progress, **options))  # type: ignore[arg-type]
    if report is not None:
        write_page(found, report)
    return Outcome({**found, "report": None if report is None else str(report)}, layers)
