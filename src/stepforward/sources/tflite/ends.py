"""What lies around the int8 body of a file: a change from and to floats or uint8 bytes, and a softmax at the end."""

from dataclasses import dataclass

from stepforward.errors import StepforwardError
from stepforward.sources.outputs import Output, choose_kept
from stepforward.sources.tflite.file import Operator, Tensor, TfliteFile, leading_to


@dataclass(frozen=True, eq=False)
class Body:
    """The int8 part.

    Attributes:
        input, output: numbers of its first and last tensor; the last one holds the logits.
        operators: between them, in order.
        from_float: whether the file itself quantizes floats at its input.
        notes: about other outputs.
    """

    input: int
    output: int
    operators: tuple[Operator, ...]
    from_float: bool
    notes: tuple[str, ...] = ()


def body(file: TfliteFile, name: str, output: str | None = None) -> Body:
    """Where the int8 part of a file begins and ends: what leads to the output that holds the logits.

    Args:
        output: its name, in a file with several.

    Raises:
        StepforwardError: several inputs, an output that cannot be told, or a softmax with a factor.
    """
    if len(file.inputs) != 1:
        raise StepforwardError(f"{name} has {len(file.inputs)} inputs", "convert a model with one input")
    chosen, notes = choose_kept([_output(file.tensors[number]) for number in file.outputs], output, name)
    (first,), last = file.inputs, file.outputs[chosen]
    several = len(file.outputs) > 1  # of one output all operators are read, whether it needs them or not
    operators = leading_to(file, {last}, lambda number: True) if several else file.operators
    taken: set[int] = set()
    from_float = file.tensors[first].type == "FLOAT32"
    readers = [o for o in operators if first in o.inputs]
    if len(readers) == 1 and _only_changes_type(file, readers[0]):
        taken.add(readers[0].number)
        first = readers[0].outputs[0]
    writers = {o.outputs[0]: o for o in operators if len(o.outputs) == 1}
    softmax = False
    while (writer := writers.get(last)) is not None and len(writer.inputs) == 1:
        at_end = not any(last in o.inputs for o in operators if o.number not in taken)
        ends = _only_changes_type(file, writer) or (writer.code == "SOFTMAX" and not softmax)
        if not at_end or not ends:
            break
        if writer.code == "SOFTMAX":
            softmax = True
            if writer.options.get("Beta", 1.0) != 1.0:
                raise StepforwardError(
                    f"SOFTMAX {writer.number} of {name} has a factor of {writer.options['Beta']:g}",
                    "convert a model whose softmax is the usual one",
                )
        taken.add(writer.number)
        last = writer.inputs[0]
    left = tuple(operator for operator in operators if operator.number not in taken)
    return Body(first, last, left, from_float, tuple(notes))


def _output(tensor: Tensor) -> Output:
    return Output(tensor.name, tensor.shape, tensor.type in ("FLOAT32", "INT8", "UINT8"))


def _only_changes_type(file: TfliteFile, operator: Operator) -> bool:
    """Whether it reads the same numbers in another type: floats as int8 or int8 as floats, or bytes of one scale."""
    if operator.code not in ("QUANTIZE", "DEQUANTIZE") or len(operator.inputs) != 1:
        return False
    if len(operator.outputs) != 1 or operator.inputs[0] < 0:
        return False
    x, y = file.tensors[operator.inputs[0]], file.tensors[operator.outputs[0]]
    types = {x.type, y.type}
    return types == {"FLOAT32", "INT8"} or (types == {"UINT8", "INT8"} and _same_bytes(x, y))


def _same_bytes(x: Tensor, y: Tensor) -> bool:
    """Whether they differ by 128 in every byte and in the zero point, and by nothing else."""
    if len(x.scale) != 1 or x.scale != y.scale or len(x.zero_point) != 1 or len(y.zero_point) != 1:
        return False
    apart = 128 if x.type == "UINT8" else -128
    return x.zero_point[0] - y.zero_point[0] == apart
