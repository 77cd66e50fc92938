"""What differs from position to position: learned positions, class tokens, a scale for each place of the last axis."""

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    bypass,
    constant,
    dims,
    present,
    replace_node,
    sole_consumer,
)
from stepforward.sources.onnx.passes.token_layers import channels_first, channels_last, put_before, reshaped

_ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def positions(graph: ir.Graph) -> None:
    """Make constants differ between channels only, by other shapes around them.

    A Concat with constants pads with zeros and adds them. A constant for each number of a sample belongs to a tensor of
    that many channels, one of the last axis to an image whose channels are that axis.
    """
    for node in list(graph):
        if node.op_type == "Concat":
            _pad_and_add(node)
    for node in list(graph):
        if node.graph is not None and node.op_type in _ARITHMETIC and len(node.inputs) == 2:
            _move(node)


def _one(array, batch, rank):
    """A constant without what it repeats for every sample, (1, ..); None where samples differ."""
    if array.ndim == rank and len(array) == batch and (array == array[:1]).all():
        array = array[:1]
    return array if array.ndim < rank or len(array) == 1 else None


def _pad_and_add(node):
    shape, axis = dims(node.outputs[0], node), node.attributes["axis"].value
    fixed = [constant(value) for value in node.inputs]
    computed = [i for i, array in enumerate(fixed) if array is None]
    if axis < 1 or len(computed) != 1 or len(fixed) < 2:
        return
    at = computed[0]
    parts: list[Any] = [None if array is None else _one(array, shape[0], len(shape)) for array in fixed]
    if any(part is None or part.dtype.kind != "f" for i, part in enumerate(parts) if i != at):
        return
    source = node.inputs[at]
    inner = dims(source, node)
    before, after = (sum(part.shape[axis] for part in some) for some in (parts[:at], parts[at + 1 :]))
    parts[at] = np.zeros((1, *inner[1:]), np.float32)
    image = [shape[0], math.prod(shape[1:axis]), inner[axis], math.prod(shape[axis + 1 :])]
    value, graph = reshaped(node, source, image), node.graph
    name = node.outputs[0].name
    pads = add_initializer(graph, f"{name}.pads", np.array([0, 0, before, 0, 0, 0, after, 0], np.int64))
    fill = add_initializer(graph, f"{name}.value", np.array(0, np.float32))
    pad = ir.node("Pad", [value, pads, fill], {"mode": "constant"})
    image[2] += before + after
    value = reshaped(node, put_before(node, pad, image), list(shape))
    added = add_initializer(graph, f"{name}.tokens", np.concatenate(parts, axis=axis).astype(np.float32))
    replace_node(node, "Add", [value, added])


def _move(node):
    shape = dims(node.outputs[0], node)
    index = next((i for i in (1, 0) if constant(node.inputs[i]) is not None), None)
    if index is None or dims(node.inputs[1 - index], node) != shape or len(shape) < 3:
        return
    array = _one(present(constant(node.inputs[index])), shape[0], len(shape))
    if array is None or array.ndim > len(shape):
        return
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    varies = {axis for axis, size in enumerate(full.shape) if size > 1}
    if varies <= {1}:
        return
    source, graph, name = node.inputs[1 - index], node.graph, node.inputs[index].name
    if varies == {len(shape) - 1}:
        image, values = channels_first(node, source), full.reshape(-1, 1, 1)
    else:
        image = reshaped(node, source, [shape[0], math.prod(shape[1:]), 1, 1])
        values = np.broadcast_to(full, (1, *shape[1:])).reshape(-1, 1, 1)
        if node.op_type == "Add":
            node, values = _join(node, values, shape)
    taken = add_initializer(graph, name, np.ascontiguousarray(values))
    operands = [image, taken] if index == 1 else [taken, image]
    made = put_before(node, ir.node(node.op_type, operands, name=node.name), list(present(image.shape).dims))
    if varies == {len(shape) - 1}:
        bypass(node, channels_last(node, made, shape))
    else:
        bypass(node, reshaped(node, made, list(shape)))


def _join(node, values, shape):
    """Constants that are added one after the other are added at once: (the last Add, what all of them add)."""
    while (reader := sole_consumer(node.outputs[0])) is not None and reader.op_type == "Add":
        other = next((constant(value) for value in reader.inputs if constant(value) is not None), None)
        more = None if other is None else _one(other, shape[0], len(shape))
        if more is None or more.ndim > len(shape):
            break
        values = values + np.broadcast_to(more, (1, *shape[1:])).reshape(-1, 1, 1)
        bypass(node, node.inputs[0 if constant(node.inputs[0]) is None else 1])
        node = reader
    return node, values.astype(np.float32)
