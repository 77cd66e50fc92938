"""A mean, sum or maximum over some axes is a global pool."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, attribute, bypass, constant, describe, dims, replace_node

_REDUCTIONS = {"ReduceMean": "GlobalAveragePool", "ReduceSum": "GlobalAveragePool", "ReduceMax": "MaxPool"}


def global_pool(graph: ir.Graph) -> None:
    """Rewrite ReduceMean, ReduceSum and ReduceMax as a global pool (and Flatten), GlobalMaxPool as MaxPool.

    Where H and W of an image, or any two axes of (N, H, W, C), are reduced, a Transpose brings them last. Any others
    become the width of an image whose channels are the axes that stay. A sum is a mean times a number. The axes are
    positive.

    Raises:
        StepforwardError: the batch is reduced, or something else than an image pooled.
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
            _reduction(node)


def _reduction(node):
    shape, axes = dims(node.inputs[0], node), _axes(node)
    if not axes or axes[0] == 0:
        raise StepforwardError(
            f"{describe(node)} works over axes {axes} of a tensor of shape {shape}, the batch included",
            "name the axes, from 1 on: x.mean((2, 3))",
        )
    if node.op_type == "ReduceSum":
        count = np.array(math.prod(shape[axis] for axis in axes), np.float32)
        factor = add_initializer(node.graph, f"{node.outputs[0].name}.count", count)
        keeps = {"keepdims": attribute(node, "keepdims", 1)}
        mean = _before(node, "ReduceMean", node.inputs[0], keeps, dims(node.outputs[0]))
        replace_node(node, "Mul", [mean, factor])
        _pool(mean.producer(), shape, axes)
    else:
        _pool(node, shape, axes)


def _pool(node, shape, axes):
    if len(shape) == 4 and len(axes) == 2:
        _rewrite(node, shape, axes)
    else:
        _reshaped(node, shape, axes)


def _reshaped(node, shape, axes):
    """The axes that stay are channels, the others a line."""
    kept = [axis for axis in range(1, len(shape)) if axis not in axes]
    value, perm = node.inputs[0], [0, *kept, *axes]
    if perm != sorted(perm):
        value = _before(node, "Transpose", value, {"perm": perm}, [shape[axis] for axis in perm])
    channels, length = (math.prod(shape[axis] for axis in some) for some in (kept, axes))
    value = _reshape(node, value, [shape[0], channels, 1, length])
    kind = _REDUCTIONS[node.op_type]
    window = {"kernel_shape": [1, length]} if kind == "MaxPool" else {}
    bypass(
        node,
        _reshape(node, _before(node, kind, value, window, [shape[0], channels, 1, 1]), dims(node.outputs[0])),
    )


def _reshape(node, value, shape):
    target = add_initializer(
        node.graph, f"{value.name or node.name}.shape", np.array([0, *shape[1:]], np.int64)
    )
    made = _before(node, "Reshape", value, {}, shape)
    made.producer().resize_inputs(2)
    made.producer().replace_input_with(1, target)
    return made


def _rewrite(node, shape, axes):
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
