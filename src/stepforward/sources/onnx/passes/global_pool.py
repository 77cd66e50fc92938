"""A mean or maximum over height and width is a global pool."""

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, constant, describe, dims, replace_node

_REDUCTIONS = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "MaxPool"}


def global_pool(graph: ir.Graph) -> None:
    """Rewrite ReduceMean and ReduceMax over H and W as a global pool (and Flatten), GlobalMaxPool as MaxPool.

    Height and width may be any two axes of (N, H, W, C): a Transpose brings them last. The axes are positive.

    Raises:
        StepforwardError: a mean or maximum over other axes, or of a tensor that is no image.
    """
    for node in list(graph):
        shape = dims(node.inputs[0], node) if node.op_type in ("GlobalAveragePool", "GlobalMaxPool") else ()
        if shape and len(shape) != 4:
            raise StepforwardError(
                f"{describe(node)} works on a tensor of shape {shape}; only (N, C, H, W) can be pooled",
                "give the tensor a height of 1, as for Conv2d",
            )
        if node.op_type == "GlobalMaxPool":
            replace_node(node, "MaxPool", [node.inputs[0]], {"kernel_shape": list(shape[2:])})
        elif node.op_type in _REDUCTIONS:
            _rewrite(node)


def _rewrite(node):
    shape, axes = dims(node.inputs[0], node), _axes(node)
    if len(shape) != 4 or axes not in ([1, 2], [1, 3], [2, 3]):
        verb = "averages" if node.op_type == "ReduceMean" else "takes the maximum"
        raise StepforwardError(
            f"{describe(node)} {verb} over axes {axes} of a tensor of shape {shape}; only height and width of an image "
            "can be pooled as a whole",
            "use AdaptiveAvgPool2d(1), AdaptiveMaxPool2d(1) or x.mean((2, 3))",
        )
    image, keeps = node.inputs[0], bool(attribute(node, "keepdims", 1))
    channels = ({1, 2, 3} - set(axes)).pop()
    if channels != 1:
        perm = [0, channels, *axes]
        image = _before(node, "Transpose", image, {"perm": perm}, [shape[axis] for axis in perm])
    size = [shape[axis] for axis in axes]
    kind = _REDUCTIONS[node.op_type]
    window = {"kernel_shape": size} if kind == "MaxPool" else {}
    if keeps and channels == 1:
        replace_node(node, kind, [image], window)
        return
    pooled = _before(node, kind, image, window, [shape[0], shape[channels], 1, 1])
    if keeps:
        back = {3: [0, 2, 3, 1], 2: [0, 2, 1, 3]}[channels]
        replace_node(node, "Transpose", [pooled], {"perm": back})
    else:
        replace_node(node, "Flatten", [pooled], {"axis": 1})


def _axes(node):
    axes = attribute(node, "axes")
    if axes is None and len(node.inputs) > 1:
        axes = constant(node.inputs[1])
    return [] if axes is None else sorted(int(axis) for axis in axes)


def _before(node, op_type, source, attributes, shape):
    made = ir.node(op_type, [source], attributes, name=f"{node.name}_{op_type.lower()}")
    made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(shape), ir.DataType.FLOAT
    node.graph.insert_before(node, made)
    return made.outputs[0]
