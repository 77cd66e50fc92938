"""Heads of attention as exporters write them: parts of a layer taken along the batch, scores divided by a number."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    constant,
    dims,
    present,
    replace_node,
    sole_consumer,
)
from stepforward.sources.onnx.passes.token_layers import put_before

_MOVES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")


def batch_first(graph: ir.Graph) -> None:
    """Select first and transpose after, where a Transpose moves the batch away and single parts of the axis that took
    its place are read: qkv.permute(2, 0, 3, 1, 4).unbind(0)."""
    for node in list(graph):
        if node.op_type != "Transpose" or attribute(node, "perm")[0] == 0:
            continue
        found = [part for use in list(node.outputs[0].uses()) for part in _parts(use.node)]
        if any(part is None for part in found):
            continue
        perm = attribute(node, "perm")
        shape, axis = dims(node.inputs[0], node), perm[0]
        for at, last in found:
            where = add_initializer(graph, f"{node.outputs[0].name}.part{at}", np.array(at, np.int64))
            gather = ir.node("Gather", [node.inputs[0], where], {"axis": axis}, name=f"{node.name}_part{at}")
            left = [size for a, size in enumerate(shape) if a != axis]
            value = put_before(node, gather, left)
            order = [a - (a > axis) for a in perm[1:]]
            turned = ir.node("Transpose", [value], {"perm": order}, name=f"{node.name}_{at}")
            bypass(last, put_before(node, turned, [left[a] for a in order]))


def unfold_batch(graph: ir.Graph) -> None:
    """Transpose matrices where they are, which an exporter brings into one long batch to do so: (N, heads, T, d) to
    (N*heads, T, d) to (N*heads, d, T) to (N, heads, d, T)."""
    for node in list(graph):
        if node.graph is None or node.op_type != "Reshape":
            continue
        turn = sole_consumer(node.outputs[0])
        back = sole_consumer(turn.outputs[0]) if turn is not None and turn.op_type == "Transpose" else None
        if turn is None or back is None or back.op_type != "Reshape":
            continue
        shape, folded, result = (dims(value) for value in (node.inputs[0], node.outputs[0], back.outputs[0]))
        perm, lead = attribute(turn, "perm"), len(shape) - len(folded) + 1
        inner = [lead + axis - 1 for axis in perm[1:]]
        same = lead > 1 and perm[0] == 0 and shape[lead:] == folded[1:]
        if same and result == (*shape[:lead], *(shape[axis] for axis in inner)):
            replace_node(back, "Transpose", [node.inputs[0]], {"perm": [*range(lead), *inner]})
            graph.remove([turn, node], safe=True)


def _parts(node):
    """(position, the node that gives it without the first axis) of each part that is read along the first axis."""
    if node.op_type == "Gather" and attribute(node, "axis", 0) == 0:
        where = constant(node.inputs[1])
        return [(int(where), node)] if where is not None and where.ndim == 0 and where >= 0 else [None]
    if node.op_type == "Slice":
        starts, ends, axes, steps = (*(constant(value) for value in node.inputs[1:]), None, None)[:4]
        if starts is None or ends is None or starts.size != 1:
            return [None]
        one = ends[0] - starts[0] == 1
        along = axes is None or axes.reshape(-1).tolist() == [0]
        if not one or not along or starts[0] < 0 or (steps is not None and steps[0] != 1):
            return [None]
        return [_squeezed(int(starts[0]), node.outputs[0])]
    if node.op_type == "Split" and attribute(node, "axis", 0) == 0:
        if any(dims(value, node)[0] != 1 for value in node.outputs):
            return [None]
        return [_squeezed(at, value) for at, value in enumerate(node.outputs)]
    return [None]


def _squeezed(at, value):
    reader = sole_consumer(value)
    if reader is None or reader.op_type != "Squeeze" or dims(reader.outputs[0], reader) != dims(value)[1:]:
        return None
    return at, reader


def scalars_to_layers(graph: ir.Graph) -> None:
    """Multiply or divide by one number right after the layer, before the moves and the product that lie between: then
    it becomes part of the layer's weights."""
    for node in list(graph):
        if node.op_type not in ("Mul", "Div"):
            continue
        index = next((i for i in (1, 0) if _is_number(node.inputs[i])), None)
        if index is None or (index == 0 and node.op_type == "Div"):
            continue
        value, reader = present(node.inputs[1 - index]), node
        while sole_consumer(value) is reader and (producer := value.producer()) is not None:
            if producer.op_type in ("Conv", "Gemm"):
                if reader is not node:
                    _insert(node, index, value, reader)
                break
            if producer.op_type not in (*_MOVES, "MatMul", "Gather"):
                break
            value, reader = present(producer.inputs[0]), producer


def _is_number(value):
    array = constant(value)
    return array is not None and array.size == 1


def _insert(node, index, value, reader):
    number = add_initializer(
        node.graph, f"{node.outputs[0].name}.factor", present(constant(node.inputs[index])).reshape(())
    )
    made = ir.node(node.op_type, [value, number], name=node.name)
    reader.replace_input_with(0, put_before(reader, made, list(value.shape.dims)))
    bypass(node, node.inputs[1 - index])
