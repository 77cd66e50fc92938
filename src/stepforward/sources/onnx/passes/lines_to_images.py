"""Convolutions and pools over time: a line (N, C, T) is an image (N, C, 1, T)."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import (
    attribute,
    bypass,
    constant,
    dims,
    present,
    set_attributes,
    set_constant,
)
from stepforward.sources.onnx.passes.token_layers import put_before, reshaped

_WINDOWS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
_FOLLOWS = {"BatchNormalization", "Concat", "Div", "Max", "Min", "Pad", "Sub", *FUNCTIONS}


def lines_to_images(graph: ir.Graph) -> None:
    """Give every window on a line a height of 1, and all that works element by element on what it computes.

    A Reshape makes an image of a line, and another one a line of an image for those that read it as that.
    """
    images: dict[ir.Value, ir.Value] = {}
    for node in list(graph):
        if not any(_is_line(value) for value in node.inputs) or not _is_line(node.outputs[0]):
            continue
        follows = node.op_type in _FOLLOWS and any(value in images for value in node.inputs)
        if (follows or node.op_type in _WINDOWS or _leads_to_windows(node)) and not _gives_more(node):
            _as_image(node, images)


def _is_line(value):
    return value is not None and constant(value) is None and value.shape is not None and len(value.shape) == 3


def _leads_to_windows(node):
    readers = [use.node for use in node.outputs[0].uses()]
    alone = bool(readers) and all(reader.op_type in _WINDOWS for reader in readers)
    return node.op_type in ("Pad", "BatchNormalization") and alone


def _gives_more(node):
    return any(value.uses() for value in node.outputs[1:])


def _as_image(node, images):
    _constants_with_height(node)
    inputs = list(node.inputs)
    for index, value in enumerate(inputs):
        if _is_line(value):
            if value not in images:
                batch, channels, length = dims(value, node)
                images[value] = reshaped(node, value, [batch, channels, 1, length])
            inputs[index] = images[value]
    made = ir.node(node.op_type, inputs, dict(node.attributes), name=node.name)
    _attributes_with_height(made)
    batch, channels, length = dims(node.outputs[0], node)
    image = put_before(node, made, [batch, channels, 1, length])
    line = reshaped(node, image, [batch, channels, length])
    images[line] = image
    node.resize_outputs(1)
    bypass(node, line)


def _constants_with_height(node):
    """One more axis before the last of a constant, where it has an axis of channels; pads of one more axis."""
    for index, value in enumerate(node.inputs):
        array = constant(value)
        if value is None or array is None:
            continue
        if node.op_type == "Pad" and len(node.inputs) > 3 and node.inputs[3] is not None:
            if index == 3:
                set_constant(node, index, array + (array == 2), present(value.name))
        elif node.op_type == "Pad":
            if index == 1 and array.size == 6:
                set_constant(node, index, np.insert(array, [2, 5], 0), present(value.name))
        elif array.ndim > 1:
            set_constant(node, index, np.expand_dims(array, -2), present(value.name))


def _attributes_with_height(node):
    for name in ("kernel_shape", "strides", "dilations"):
        found = attribute(node, name)
        if found is not None:
            set_attributes(node, **{name: [1, *found]})
    pads = attribute(node, "pads")
    if pads is not None and len(pads) == 2:
        set_attributes(node, pads=[0, pads[0], 0, pads[1]])
    if node.op_type == "Concat" and attribute(node, "axis") == 2:
        set_attributes(node, axis=3)
