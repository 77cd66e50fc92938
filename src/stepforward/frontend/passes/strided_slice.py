"""A strided slice of an image, x[:, :, ::s, ::s], is a max pool with a 1x1 window."""

import numpy as np
import onnx_ir as ir

from stepforward.frontend.graph import constant, dims, replace_node


def strided_slice(graph: ir.Graph) -> None:
    """Rewrite Slice over height and width, from the first row and column to the last, as MaxPool.

    Two slices in a row, as exporters write them, become one pool. Other slices stay.
    """
    for node in list(graph):
        if node.op_type == "Slice":
            strides = _strides(node)
            if strides is None:
                continue
            source = node.inputs[0]
            previous = source.producer()
            if previous is not None and _is_subsampling(previous) and len(source.uses()) == 1:
                strides = [a * b for a, b in zip(strides, previous.attributes["strides"].value, strict=True)]
                source = previous.inputs[0]
            replace_node(node, "MaxPool", [source], {"kernel_shape": [1, 1], "strides": strides})
            if previous is not None and not any(result.uses() for result in previous.outputs):
                previous.graph.remove(previous, safe=True)


def _is_subsampling(node):
    return (
        node.op_type == "MaxPool"
        and node.attributes["kernel_shape"].value == (1, 1)
        and len(node.attributes) == 2
    )


def _strides(node):
    shape = dims(node.inputs[0], node)
    arrays = [constant(value) for value in node.inputs[1:]]
    if len(arrays) >= 2 and all(array is not None for array in arrays) and len(shape) == 4:
        starts, ends = arrays[:2]
        axes = arrays[2] if len(arrays) > 2 else np.arange(len(starts))
        steps = arrays[3] if len(arrays) > 3 else np.ones(len(starts), np.int64)
        strides = {2: 1, 3: 1}
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            axis = int(axis) % 4
            reaches_end = end >= shape[axis] or (step > 1 and (shape[axis] - 1) // step * step < end)
            if step < 1 or start not in (0, -shape[axis]) or not reaches_end or (step > 1 and axis < 2):
                break
            if axis in strides:
                strides[axis] *= int(step)
        else:
            return [strides[2], strides[3]]
    return None
