"""Squeeze, Unsqueeze, Flatten and Reshape become Flatten (one axis left) or Reshape with a constant shape."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, describe, dims, replace_node

_KINDS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def normalize_reshape(graph: ir.Graph, batch: int) -> None:
    """Rewrite every change of shape so that it holds for any batch.

    Args:
        batch: the size that stands for the batch in the inferred shapes.

    Raises:
        StepforwardError: the batch is mixed with other axes, or a shape is computed.
    """
    for node in list(graph):
        if node.op_type not in _KINDS:
            continue
        shape = dims(node.outputs[0], node)
        if shape[:1] != (batch,):
            raise StepforwardError(
                f"{describe(node)} mixes the batch with other axes: {dims(node.inputs[0], node)} -> {shape}",
                "keep the batch as the first axis: x.flatten(1), or x.reshape(x.shape[0], ...)",
            )
        if math.prod(shape) != math.prod(dims(node.inputs[0], node)):
            raise StepforwardError(
                f"{describe(node)} changes the number of elements: {dims(node.inputs[0], node)} -> {shape}",
                "check that the model runs in ONNX Runtime on one sample, then export it again",
            )
        if len(shape) == 2:
            replace_node(node, "Flatten", [node.inputs[0]], {"axis": 1})
        else:
            target = np.array([0, *shape[1:]], np.int64)
            values = add_initializer(graph, f"{node.outputs[0].name}.shape", target)
            replace_node(node, "Reshape", [node.inputs[0], values])
