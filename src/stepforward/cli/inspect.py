"""`stepforward inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Json
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import setting
from stepforward.settings import Settings


def inspect(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A quantized .onnx file, an int8 .tflite file, or a program (.sfp)."
        ),
    ],
    train: Annotated[str, setting("train")] = Settings.train,
    sizes: Annotated[str, setting("sizes")] = Settings.sizes,
    epsilon: Annotated[float | None, setting("epsilon")] = Settings.epsilon,
    lr: Annotated[float | None, setting("lr")] = Settings.lr,
    runtime: Annotated[str, setting("runtime")] = Settings.runtime,
    as_json: Json = False,
) -> Outcome:
    """Show operators, formats, memory, and how far probes and steps would move each weight.

    [bold]Example:[/bold] stepforward inspect digits.onnx --train last:2 --epsilon 1e-3
    """
    from stepforward.report.terminal import inspection
    from stepforward.verbs.inspect import inspect as verb

    found = verb(model, train=train, sizes=sizes, epsilon=epsilon, lr=lr, runtime=runtime)
    return Outcome(found, inspection)
