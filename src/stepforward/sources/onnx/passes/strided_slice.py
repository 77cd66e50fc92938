"""Every s-th row or column of an image, x[:, :, ::s, ::s], is a max pool with a 1x1 window."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import attribute, dims, present, replace_node
from stepforward.sources.onnx.passes.selections import positions


def strided_slice(graph: ir.Graph) -> None:
    """Rewrite Gathers of every s-th row or column, from the first to the last, as MaxPool.

    Two in a row, as exporters write them, become one pool. Other Gathers stay.
    """
    for node in list(graph):
        strides = _strides(node) if node.op_type == "Gather" else None
        if strides is None:
            continue
        source = present(node.inputs[0])
        previous = source.producer()
        if previous is not None and _is_subsampling(previous) and len(source.uses()) == 1:
            strides = [a * b for a, b in zip(strides, previous.attributes["strides"].value, strict=True)]
            source = present(previous.inputs[0])
        replace_node(node, "MaxPool", [source], {"kernel_shape": [1, 1], "strides": strides})
        if previous is not None and not any(result.uses() for result in previous.outputs):
            present(previous.graph).remove(previous, safe=True)


def _is_subsampling(node):
    return (
        node.op_type == "MaxPool"
        and node.attributes["kernel_shape"].value == (1, 1)
        and len(node.attributes) == 2
        and "strides" in node.attributes
    )


def _strides(node):
    shape, axis, where = dims(node.inputs[0], node), attribute(node, "axis"), positions(node)
    step = int(where[1] - where[0]) if len(where) > 1 else 0
    if len(shape) != 4 or axis < 2 or step < 1 or not np.array_equal(where, np.arange(0, shape[axis], step)):
        return None
    return [step, 1] if axis == 2 else [1, step]
