"""A float file as a float ONNX model, or every reason why not."""

import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.graph.metadata import add_note
from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator, TfliteFile, describe, leading_to
from stepforward.sources.tflite.tensors import why_not
from stepforward.sources.tflite.to_onnx.graph import Translation
from stepforward.sources.tflite.to_onnx.layers import layer_name
from stepforward.sources.tflite.to_onnx.sequences import SEQUENCES
from stepforward.sources.tflite.to_onnx.table import TABLE

OPSET, IR_VERSION = 21, 10

_FLOATS = ("FLOAT32", "FLOAT16")

_REMEDY = (
    f"supported in float files: {', '.join(TABLE)}; convert the rest into these, or export ONNX from the framework "
    "it was trained in"
)


def is_float(file: TfliteFile) -> bool:
    """Whether a file computes with floats, and nothing in integers."""
    computed = {file.tensors[number].type for operator in file.operators for number in operator.outputs}
    return "FLOAT32" in computed and not computed & {"INT8", "UINT8", "INT16"}


def to_onnx(file: TfliteFile, name: str) -> ir.Model:
    """The same network as an ONNX model.

    Args:
        file: what was read.
        name: of the file, for messages.

    Raises:
        StepforwardError: it holds what cannot be translated, every operator by name.
    """
    t = Translation(file)
    sources = [t.begin(number) for number in file.inputs]
    for number in file.inputs:
        if len(file.tensors[number].shape) == 4:
            t.begin_image(number)
    with fits_together(name):
        if problems := _translate(t):
            raise StepforwardError(f"{name} cannot be read: {'; '.join(problems)}", _REMEDY)
    try:
        results = [t.value(number) for number in file.outputs]
    except UnreadableError:
        raise StepforwardError(f"{name} has an output that nothing computes", "convert it again") from None
    for number, value in zip(file.outputs, results, strict=True):
        value.name, value.shape = file.tensors[number].name, ir.Shape(file.tensors[number].shape)
        value.dtype = ir.DataType.FLOAT
    graph = ir.Graph(
        sources,
        results,
        nodes=t.nodes,
        initializers=list(t.initializers.values()),
        opset_imports={"": OPSET},
        name="network",
    )
    model = ir.Model(graph, ir_version=IR_VERSION)
    add_note(model, "a float TensorFlow Lite file has no integers to keep: what comes back is an ONNX file")
    needed = _needed(file)
    if any(o.code in SEQUENCES for o in needed):
        add_note(
            model,
            "states of recurrent layers begin at zero with every sample: set those of the file to zero before each "
            "(reset_all_variables)",
        )
    if hybrid := [o for o in needed if o.code in _WEIGHTED and _is_hybrid(file, o)]:
        add_note(
            model,
            f"weights of {len(hybrid)} layers, first {layer_name(file, hybrid[0])}, are integers in the file and read "
            "as the numbers that they stand for",
        )
    return model


def _translate(t: Translation) -> list[str]:
    """Take every operator; what stands in the way, each thing once, with the first operator that it is about."""
    found: dict[tuple[str, str], list[Operator]] = {}
    failed: set[int] = set()
    for operator in _needed(t.file):
        try:
            _take(t, operator)
        except UnreadableError as problem:
            if operator.code not in TABLE or not failed & {*operator.inputs}:  # else that may be why
                found.setdefault((operator.code, str(problem)), []).append(operator)
            failed.update(operator.outputs)
            for number in operator.outputs:
                t.begin(number)
    return [
        f"{describe(t.file, operators[0])}: {problem}"
        + (f" (and {len(operators) - 1} more)" if len(operators) > 1 else "")
        for (_, problem), operators in found.items()
    ]


_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "DEQUANTIZE", *SEQUENCES)


def _is_hybrid(file: TfliteFile, operator: Operator) -> bool:
    return any(number >= 0 and file.tensors[number].type in ("INT8", "UINT8") for number in operator.inputs)


def _needed(file: TfliteFile) -> list[Operator]:
    """The operators that numbers go through on their way to the output; shapes are in the file."""
    given = {*file.inputs}

    def is_number(n: int) -> bool:
        return n >= 0 and n not in given and file.tensors[n].type in _FLOATS

    return leading_to(file, {*file.outputs} - given, is_number)


def _take(t: Translation, operator: Operator) -> None:
    for number in (*operator.inputs, *operator.outputs):
        if number >= 0 and t.file.tensors[number].variable and operator.code not in SEQUENCES:
            raise UnreadableError(f"{t.file.tensors[number].name} is a state that is kept between calls")
    if operator.code not in TABLE:
        raise UnreadableError(why_not(operator.code))
    t.name = f"{operator.code}_{operator.number}/{t.output(operator).name.split(';')[0]}"
    TABLE[operator.code](t, operator)
