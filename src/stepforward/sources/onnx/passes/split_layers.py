"""A layer whose outputs are only read in parts is one layer for each part: nothing is copied, nothing is lost."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import add_initializer, attribute, bypass, constant, present, sole_consumer
from stepforward.sources.onnx.passes.selections import positions, select

_BY_CHANNEL = ("Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def split_layers(graph: ir.Graph) -> bool:
    """Divide every Conv and Gemm that only Gathers of channels read by their positions; whether there was one.

    Batch norm, activations, pools and arithmetic with constants may stand in between: each part gets its own. A part
    holds the rows of the weight and bias that it needs, so rows that nobody reads are gone. Parts must not overlap
    (they would learn apart), and those of a grouped convolution hold whole groups.
    """
    changed = False
    for node in reversed(list(graph)):
        changed |= node.op_type in ("Conv", "Gemm") and _divide(node)
    return changed


def _divide(layer):
    weight = constant(layer.inputs[1])
    bias = layer.inputs[2] if len(layer.inputs) > 2 else None
    if weight is None or (bias is not None and constant(bias) is None) or not layer.outputs[0].uses():
        return False
    chain = [layer]
    while (reader := sole_consumer(chain[-1].outputs[0])) is not None and _by_channel(reader, chain[-1]):
        chain.append(reader)
    readers = [use.node for use in chain[-1].outputs[0].uses()]
    if chain[-1].outputs[0].is_graph_output() or not all(_selects_channels(node) for node in readers):
        return False
    parts = sorted({tuple(positions(node).tolist()) for node in readers}, key=min)
    rows = sorted(row for part in parts for row in part)
    if len(set(rows)) < len(rows) or not all(_holds_whole_groups(layer, part) for part in parts):
        return False
    constants = [_release(node) for node in chain]
    for part in parts:
        value = layer.inputs[0]
        for node, arrays in zip(chain, constants, strict=True):
            value = _part(layer, node, arrays, value, np.array(part))
        for node in readers:
            if node.graph is not None and tuple(positions(node).tolist()) == part:
                bypass(node, value)
    for node in reversed(chain):
        layer.graph.remove(node, safe=True)
    return True


def _selects_channels(node):
    return node.op_type == "Gather" and attribute(node, "axis") == 1


def _by_channel(node, before):
    """Whether every channel of the result depends on that channel of what `before` computes, and on constants."""
    if len(node.outputs) != 1:
        return False
    if node.op_type in _BY_CHANNEL:
        return node.inputs[0] is before.outputs[0]
    if node.op_type == "BatchNormalization":
        return len(node.inputs) == 5 and all(constant(value) is not None for value in node.inputs[1:])
    if node.op_type not in _ARITHMETIC or len(node.inputs) != 2:
        return False
    other = constant(node.inputs[1 if node.inputs[0] is before.outputs[0] else 0])
    return other is not None and other.ndim <= len(before.outputs[0].shape)


def _holds_whole_groups(layer, part):
    size = len(present(constant(layer.inputs[1]))) // attribute(layer, "group", 1)
    if attribute(layer, "group", 1) == 1:
        return True
    whole = [row + i for row in part[::size] for i in range(size)] if size else []
    return whole == list(part) and all(row % size == 0 for row in part[::size])


def _release(node):
    """(name, array) of each constant of a node that is about to go, by input, their names free again."""
    found = {}
    for index, value in enumerate(list(node.inputs)):
        array = constant(value)
        if array is None:
            continue
        found[index] = value.name, array
        node.replace_input_with(index, None)
        if not value.uses():
            del node.graph.initializers[value.name]
    return found


def _part(layer, node, arrays, value, part):
    """A copy of one node of the chain that computes these channels only; its result."""
    inputs, changed = list(node.inputs), {}
    inputs[next(i for i in range(len(inputs)) if i not in arrays)] = value
    if node is layer and attribute(layer, "group", 1) > 1:
        groups, changed = _group_positions(layer, arrays[1][1], part)
        inputs[0] = select(layer, value, 1, groups)
    for index, (name, array) in arrays.items():
        inputs[index] = add_initializer(layer.graph, name, _rows(node, array, part))
    copy = ir.node(node.op_type, inputs, name=node.name)
    copy.attributes.update(node.attributes)
    for name, number in changed.items():
        copy.attributes[name] = ir.AttrInt64(name, number)
    shape = list(node.outputs[0].shape.dims)
    shape[1] = len(part)
    copy.outputs[0].shape, copy.outputs[0].dtype = ir.Shape(shape), node.outputs[0].dtype
    layer.graph.insert_before(layer, copy)
    return copy.outputs[0]


def _group_positions(layer, weight, part):
    """The input channels of a part of a grouped convolution, and its number of groups."""
    size, width = len(weight) // attribute(layer, "group"), weight.shape[1]
    groups = part[::size] // size
    return (groups[:, None] * width + np.arange(width)).reshape(-1), {"group": len(groups)}


def _rows(node, array, part):
    """What these channels need of a constant."""
    if node.op_type in _BY_CHANNEL:
        return array
    if node.op_type not in _ARITHMETIC:
        return array[part]
    axis = array.ndim - len(node.outputs[0].shape) + 1  # of the channels, in the constant
    return array.take(part, axis) if axis >= 0 and array.shape[axis] > 1 else array
