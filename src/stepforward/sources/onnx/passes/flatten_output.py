"""A network that ends in (N, classes, 1, 1), or (N, 1, 1, classes), is made to end in (N, classes)."""

import math

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import dims, insert_after


def flatten_output(graph: ir.Graph) -> None:
    """Append a Flatten where the output has further axes of size 1.

    Raises:
        StepforwardError: the output is not one logit per class.
    """
    output = graph.outputs[0]
    shape = dims(output)
    if len(shape) == 2 or output.producer() is None:
        return
    classes = math.prod(shape[1:])
    if len(shape) < 2 or classes != max(shape[1:]):
        raise StepforwardError(
            f"the output {output.name!r} has shape (N, {', '.join(map(str, shape[1:]))}), not (N, classes)",
            "export a classifier: one logit per class for each sample",
        )
    name = output.name
    node = insert_after(output, "Flatten", [output], {"axis": 1}, (shape[0], classes), "flatten_output")
    graph.outputs[0] = node.outputs[0]
    output.name = f"{name}.unflattened"
    node.outputs[0].name = name
