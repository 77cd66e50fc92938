"""`stepforward evaluate`."""

from typing import Annotated

from stepforward.cli.options import (
    Classes,
    Data,
    Fixed,
    Follow,
    Image,
    InputShape,
    Json,
    Model,
    Output,
    Preprocess,
)
from stepforward.cli.outcome import Outcome
from stepforward.cli.setting_options import setting
from stepforward.settings import Settings


def evaluate(
    model: Model,
    data: Data,
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
    """Measure a network on labelled samples: accuracy, loss, accuracy per class.

    A quantized network is run in integers, a float one in float32.

    [bold]Example:[/bold] stepforward evaluate runs/digits-1/adapted.onnx --data other_clips
    """
    from stepforward.report.terminal import evaluation
    from stepforward.verbs.evaluate import evaluate as verb

    result = verb(
        model,
        data,
        classes=classes,
        image=image,
        preprocess=preprocess,
        input_shape=input_shape,
        output=output,
        fixed_inputs=fixed_inputs,
        runtime=runtime,
        threads=threads,
        follow=follow,
    )
    return Outcome(result, evaluation)
