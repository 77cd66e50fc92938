"""Which values of a canonical graph are quantized: all but those inside a fused operator."""

import onnx_ir as ir

from stepforward.frontend.graph import sole_consumer

FORMAT_OF_INPUT = ("MaxPool", "Pad", "Reshape", "Flatten", "Transpose")
"""Operators that move integers: the output has its input's scale and zero point."""

_FUSES = ("Conv", "Gemm", "Add")
_CLIPS = ("Relu", "Clip")


def fused_clip(node: ir.Node) -> ir.Node | None:
    """The Relu or Clip that the integer operator of `node` applies on its way out, or None."""
    reader = sole_consumer(node.outputs[0])
    return reader if node.op_type in _FUSES and reader is not None and reader.op_type in _CLIPS else None


def quantized_values(graph: ir.Graph) -> list[ir.Value]:
    """The input and every node output that is stored as integers, in order."""
    return [graph.inputs[0], *(node.outputs[0] for node in graph if fused_clip(node) is None)]
