"""`stepforward quantize`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import (
    Classes,
    Data,
    Fixed,
    Image,
    InputShape,
    Json,
    Model,
    Output,
    Preprocess,
)
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import setting
from stepforward.errors import StepforwardError
from stepforward.settings import Settings


def quantize(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the quantized (QDQ) .onnx file.")],
    classes: Classes = None,
    image: Image = None,
    preprocess: Preprocess = None,
    input_shape: InputShape = None,
    output: Output = None,
    fixed_inputs: Fixed = None,
    bits: Annotated[str, setting("bits")] = Settings.bits,
    calibration: Annotated[str, setting("calibration")] = Settings.calibration,
    wide: Annotated[str, setting("wide")] = Settings.wide,
    symmetric: Annotated[
        bool,
        typer.Option(
            "--symmetric", help="Zero points of 0 everywhere, as in the paper; a ReLU output loses one bit."
        ),
    ] = False,
    program: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.sfp", help="Also write the program that devices run (docs/file-formats.md)."
        ),
    ] = None,
    as_json: Json = False,
) -> Outcome:
    """Turn a float network into integers, with ranges seen on your data.

    The result is an ordinary QDQ ONNX file: ONNX Runtime runs it, Netron opens it.

    [bold]Example:[/bold] stepforward quantize digits_float.onnx --data my_clips --out digits.onnx --program digits.sfp
    """
    from stepforward.report.terminal import quantization
    from stepforward.verbs.inspect import inspect
    from stepforward.verbs.quantize import quantize_measured

    if program is not None and program.resolve() == out.resolve():
        raise StepforwardError(
            f"--out and --program both name {out}", "give the program another name, such as model.sfp"
        )
    made = quantize_measured(
        model,
        data,
        bits=bits,
        calibration=calibration,
        wide=wide,
        symmetric=symmetric,
        classes=classes,
        image=image,
        preprocess=preprocess,
        input_shape=input_shape,
        output=output,
        fixed_inputs=fixed_inputs,
        out=out,
        program_out=program,
    )
    written = {"out": str(out), "program": None if program is None else str(program)}
    return Outcome(
        {**inspect(made.program), **written, "fidelity": asdict(made.fidelity), "notes": made.notes},
        quantization,
    )
