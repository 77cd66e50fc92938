"""What lies after the logits of a file: their change to floats, and a softmax."""

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, present

_PASSED = ("QuantizeLinear", "DequantizeLinear", "Identity", "Softmax")


def logits_of(graph: ir.Graph, name: str) -> tuple[ir.Value, list[ir.Node]]:
    """The 8-bit tensor that holds the logits, and the nodes after it.

    Args:
        graph: in QDQ form.
        name: of the file, for messages.

    Raises:
        StepforwardError: the output is not quantized.
    """
    value, ends = graph.outputs[0], list[ir.Node]()
    logits: tuple[ir.Value, int] | None = None
    while (node := value.producer()) is not None and node.op_type in _PASSED:
        if node.op_type == "Softmax":
            if any(end.op_type == "Softmax" for end in ends) or not _over_classes(node):
                break
            logits = None
        ends.append(node)
        if node.op_type == "QuantizeLinear":
            logits = logits or (value, len(ends) - 1)
        value = present(node.inputs[0])
    if logits is None:
        raise StepforwardError(
            f"the output {graph.outputs[0].name!r} of {name} is not quantized to 8 bits",
            "quantize the last layer too (nodes_to_exclude leaves layers in float32)",
        )
    return logits[0], ends[: logits[1]]


def _over_classes(node: ir.Node) -> bool:
    shape = node.outputs[0].shape
    rank = 2 if shape is None else len(shape)
    return attribute(node, "axis", -1) in (-1, rank - 1)
