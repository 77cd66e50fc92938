"""Constants added to or multiplied with (N, H, W, C) move past the Transpose that brings channels to the front.

Keras' Rescaling and Normalization come first in a network, so tf2onnx writes them before its Transpose; after it
they are constants per channel (`fold_affine`).
"""

import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    copy_dtype,
    dims,
    present,
    replace_node,
    sole_consumer,
)

_KINDS = ("Add", "Sub", "Mul", "Div")


def constants_after_transpose(graph: ir.Graph) -> None:
    """Rewrite Transpose(op(x, k)) as op(Transpose(x), k') with the constant's axes in the new order."""
    for node in list(graph):
        moved: ir.Node | None = node
        while moved is not None and moved.op_type == "Transpose":
            moved = _swapped(moved)


def _swapped(transpose: ir.Node) -> ir.Node | None:
    """The Transpose in its new place, or None where it stays."""
    node = present(transpose.inputs[0]).producer()
    if node is None or node.op_type not in _KINDS or sole_consumer(node.outputs[0]) is not transpose:
        return None
    arrays = [constant(value) for value in node.inputs]
    if sum(array is None for array in arrays) != 1:
        return None
    place = 0 if arrays[0] is None else 1
    value, array = node.inputs[place], present(arrays[1 - place])
    perm, shape = attribute(transpose, "perm"), dims(value, node)
    spread = (1,) * (len(shape) - array.ndim) + array.shape
    if perm is None or len(spread) != len(shape) or dims(node.outputs[0], node) != shape or spread[0] != 1:
        return None
    graph, name = present(node.graph), present(present(node.inputs[1 - place]).name)
    moved = ir.node("Transpose", [value], {"perm": perm}, name=transpose.name)
    moved.outputs[0].shape = transpose.outputs[0].shape
    copy_dtype(moved.outputs[0], transpose.outputs[0])
    graph.insert_before(node, moved)
    inputs = [moved.outputs[0]] * 2
    inputs[1 - place] = add_initializer(graph, name, array.reshape(spread).transpose(perm))
    result, output = replace_node(transpose, node.op_type, inputs), node.outputs[0].name
    graph.remove(node, safe=True)
    result.name = node.name
    if not result.outputs[0].is_graph_output():
        node.outputs[0].name, result.outputs[0].name = None, output
    return moved
