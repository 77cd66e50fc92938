"""A mean over height and width is a global average pool; a global max pool is a max pool."""

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.frontend.graph import attribute, constant, describe, dims, replace_node


def global_pool(graph: ir.Graph) -> None:
    """Rewrite ReduceMean over H and W as GlobalAveragePool (and Flatten), GlobalMaxPool as MaxPool.

    Raises:
        StepforwardError: a mean over other axes.
    """
    for node in list(graph):
        if node.op_type == "GlobalMaxPool":
            shape = dims(node.inputs[0], node)
            replace_node(node, "MaxPool", [node.inputs[0]], {"kernel_shape": list(shape[2:])})
        elif node.op_type == "ReduceMean":
            _rewrite_mean(node)


def _rewrite_mean(node):
    shape = dims(node.inputs[0], node)
    axes = attribute(node, "axes")
    if axes is None and len(node.inputs) > 1:
        axes = constant(node.inputs[1])
    axes = [] if axes is None else [int(axis) for axis in axes]
    if len(shape) != 4 or sorted(axis % 4 for axis in axes) != [2, 3]:
        raise StepforwardError(
            f"{describe(node)} averages over axes {axes} of a tensor of "
            f" shape {shape}; only the mean over height and width of (N, C, H, W) is supported",
            "use AdaptiveAvgPool2d(1) or x.mean((2, 3))",
        )
    if attribute(node, "keepdims", 1):
        replace_node(node, "GlobalAveragePool", [node.inputs[0]])
        return
    pool = ir.node("GlobalAveragePool", [node.inputs[0]], name=f"{node.name}_pool")
    pool.outputs[0].shape = ir.Shape([*shape[:2], 1, 1])
    pool.outputs[0].dtype = ir.DataType.FLOAT
    node.graph.insert_before(node, pool)
    replace_node(node, "Flatten", [pool.outputs[0]], {"axis": 1})
