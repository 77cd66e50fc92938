"""Which values of a canonical graph are quantized: all but those inside a fused operator."""

import onnx_ir as ir

from stepforward.graph.nodes import constant, sole_consumer
from stepforward.graph.pointwise import Functions
from stepforward.operators.table import JOINS

FORMAT_OF_INPUT = ("MaxPool", "Pad", "Reshape", "Flatten", "Transpose")
"""Operators that move integers: the output has its input's scale and zero point."""

FUSES = ("Conv", "Gemm", *JOINS)
"""Operators that apply a Relu or Clip on their way out."""

_CLIPS = ("Relu", "Clip")


def fused_clip(node: ir.Node) -> ir.Node | None:
    """The Relu or Clip that the integer operator of `node` applies on its way out, or None."""
    reader = sole_consumer(node.outputs[0])
    return reader if node.op_type in FUSES and reader is not None and reader.op_type in _CLIPS else None


def first_value(graph: ir.Graph) -> ir.Value:
    """What is quantized first: the input, after the Sub and Mul in front of it if there are any (`even_input`)."""
    value = graph.inputs[0]
    while (reader := sole_consumer(value)) is not None and is_input_scaling(reader):
        value = reader.outputs[0]
    return value


def is_input_scaling(node: ir.Node) -> bool:
    """Whether this is a Sub or Mul by one constant per channel: a canonical graph has them in front of the input
    only. Those of functions are scalars."""
    array = constant(node.inputs[1]) if node.op_type in ("Sub", "Mul") else None
    return array is not None and array.ndim > 0


def quantized_values(graph: ir.Graph) -> list[ir.Value]:
    """The input and every node output that is stored as integers, in order."""
    return [first_value(graph), *(node.outputs[0] for node in storing_nodes(graph))]


def storing_nodes(graph: ir.Graph) -> list[ir.Node]:
    """The nodes whose results are stored as integers, in order."""
    functions = Functions(graph)
    return [
        node
        for node in graph
        if not (functions.inside(node) or is_input_scaling(node) or node.op_type == "Where")
        and (node in functions.last or fused_clip(node) is None)
    ]
