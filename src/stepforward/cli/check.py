"""`stepforward check`."""

from stepforward.cli.failures import USER_ERROR
from stepforward.cli.options import Fixed, InputShape, Json, Model, Output
from stepforward.cli.outcome import Outcome


def check(
    model: Model,
    input_shape: InputShape = None,
    output: Output = None,
    fixed_inputs: Fixed = None,
    as_json: Json = False,
) -> Outcome:
    """Say whether a model can be adapted, what stands in the way, and what a device would need.

    Ends with exit code 0 where it is supported, and with 2 where it is not.

    [bold]Example:[/bold] stepforward check my_network.onnx
    """
    from stepforward.report.checked import checked, next_command
    from stepforward.verbs.check import check as verb

    result = verb(model, input_shape=input_shape, output=output, fixed_inputs=fixed_inputs)
    if not result["supported"]:
        return Outcome(result, checked, USER_ERROR)
    return Outcome({**result, "next": next_command(result)}, checked)
