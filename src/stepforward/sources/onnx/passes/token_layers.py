"""A matrix product at every position is a 1 x 1 convolution of an image whose channels are the last axis."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    bypass,
    constant,
    dims,
    present,
    set_constant,
    sole_consumer,
)

WINDOW: dict[str, Any] = {
    "kernel_shape": [1, 1],
    "strides": [1, 1],
    "pads": [0, 0, 0, 0],
    "dilations": [1, 1],
    "group": 1,
}


def token_layers(graph: ir.Graph) -> None:
    """Rewrite MatMul of a tensor of three axes or more by a constant matrix, with the bias after it, as Conv."""
    for node in list(graph):
        if node.op_type != "MatMul" or node.inputs[0] is None:
            continue
        weight, shape = constant(node.inputs[1]), dims(node.inputs[0], node)
        if weight is None or weight.ndim != 2 or len(shape) < 3 or constant(node.inputs[0]) is not None:
            continue
        if len(weight) != shape[-1]:
            continue  # shapes are refused where all layers are
        name, last, bias = present(present(node.inputs[1]).name), node, None
        reader = sole_consumer(node.outputs[0])
        if reader is not None and reader.op_type == "Add":
            other = reader.inputs[1 if reader.inputs[0] is node.outputs[0] else 0]
            array = constant(other)
            if array is not None and array.shape in ((weight.shape[1],), (1, weight.shape[1])):
                last, bias = reader, other
        image = channels_first(node, node.inputs[0])
        conv = ir.node("Conv", [image, node.inputs[1]], WINDOW, name=node.name)
        sizes = present(image.shape).dims
        put_before(last, conv, [sizes[0], weight.shape[1], *sizes[2:]])
        if bias is not None:
            conv.resize_inputs(3)
            conv.replace_input_with(2, bias)
        image, others = conv.outputs[0], [] if last is node else [node]
        for reader in _arithmetic(last):
            image, last, others = _on_channels(reader, image), reader, [*others, last]
        bypass(last, channels_last(last, image, dims(last.outputs[0], last)))
        for unread in reversed(others):
            graph.remove(unread, safe=True)
        set_constant(conv, 1, np.ascontiguousarray(weight.T)[:, :, None, None], name)
        if bias is not None:
            set_constant(conv, 2, present(constant(bias)).reshape(-1), present(bias.name))


def _arithmetic(node: ir.Node) -> list[ir.Node]:
    """What follows a node with one constant for each place of the last axis, or before that with one for all."""
    found, count = list[ir.Node](), 0
    while (reader := sole_consumer((found[-1] if found else node).outputs[0])) is not None:
        array = next((array for array in map(constant, reader.inputs) if array is not None), None)
        if reader.op_type not in ("Add", "Sub", "Mul") or array is None:
            break
        channels = dims(reader.outputs[0], reader)[-1]
        if array.size != 1 and (array.size != channels or array.shape[-1] != channels):
            break
        found.append(reader)
        count = len(found) if array.size > 1 else count
    return found[:count]


def _on_channels(node: ir.Node, image: ir.Value) -> ir.Value:
    """The same arithmetic on an image whose channels were the last axis; it becomes part of the layer later."""
    inputs = list(node.inputs)
    for index, value in enumerate(node.inputs):
        array = constant(value)
        if array is None:
            inputs[index] = image
        elif array.size > 1:
            shaped = array.reshape(-1, 1, 1)
            inputs[index] = add_initializer(present(node.graph), f"{present(value).name}.channels", shaped)
    return put_node(node, node.op_type, inputs, present(image.shape).dims)


def channels_first(node: ir.Node, value: ir.Value) -> ir.Value:
    """A value (N, .., D) as an image (N, D, 1, positions); nodes are put before `node`."""
    shape = dims(value, node)
    image = [shape[0], 1, math.prod(shape[1:-1]), shape[-1]]
    value = reshaped(node, value, image)
    turned = ir.node("Transpose", [value], {"perm": [0, 3, 1, 2]})
    return put_before(node, turned, [image[0], image[3], 1, image[2]])


def channels_last(node: ir.Node, image: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    """The way back."""
    turned = ir.node("Transpose", [image], {"perm": [0, 2, 3, 1]})
    batch, channels, height, width = present(image.shape).dims
    return reshaped(node, put_before(node, turned, [batch, height, width, channels]), list(shape))


def reshaped(node: ir.Node, value: ir.Value, shape: list) -> ir.Value:
    """The value in another shape, batch first; the value itself where it has that."""
    if list(present(value.shape).dims) == shape:
        return value
    target = add_initializer(
        present(node.graph), f"{value.name or node.name}.shape", np.array([0, *shape[1:]], np.int64)
    )
    return put_before(node, ir.node("Reshape", [value, target]), shape)


def put_before(node: ir.Node, made: ir.Node, shape: list) -> ir.Value:
    """Put a new node in the graph; its result."""
    made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(shape), ir.DataType.FLOAT
    present(node.graph).insert_before(node, made)
    return made.outputs[0]


def put_node(
    node: ir.Node, kind: str, inputs: Sequence[ir.Value | None], shape: Sequence, **attributes: Any
) -> ir.Value:
    """The result of a new node of a kind, put before another one."""
    return put_before(node, ir.node(kind, inputs, attributes), list(shape))


def bounds(node: ir.Node, axis: int, begin: int, end: int) -> list[ir.Value]:
    """The starts, ends and axes of a Slice of `begin` to `end` along one axis, named after a node."""
    graph, name = present(node.graph), node.outputs[0].name
    numbers = {"starts": begin, "ends": end, "axes": axis}
    return [
        add_initializer(graph, f"{name}.{kind}", np.array([number], np.int64))
        for kind, number in numbers.items()
    ]
