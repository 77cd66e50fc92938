"""Norms of single channels and of several axes, as layer norms over the last axis."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    FIXED,
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    give_result,
    present,
    set_attributes,
    set_constant,
)
from stepforward.sources.onnx.passes.layer_norms import bring_layer_norms
from stepforward.sources.onnx.passes.token_layers import put_before, reshaped


def other_norms(graph: ir.Graph) -> None:
    """Write InstanceNormalization and LayerNormalization of several axes with reshapes around one of the last axis.

    What is normed together becomes the last axis. Weights and biases of channels follow as a product and a sum; those
    of the layer norm are 1 and 0, and fixed.

    Raises:
        StepforwardError: weights are computed or do not fit, by the name of the node.
    """
    for node in list(graph):
        if node.op_type == "InstanceNormalization":
            _of_channels(node)
            bring_layer_norms(graph)
        elif node.op_type == "LayerNormalization":
            _of_axes(node)


def _of_channels(node):
    x = present(node.inputs[0])
    shape = list(dims(x, node))
    if len(shape) < 3:
        raise StepforwardError(
            f"{describe(node)} norms a tensor of shape {tuple(shape)}",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    channels = shape[1]
    name, length = node.name or node.outputs[0].name, math.prod(shape[2:])
    parts = reshaped(node, x, [shape[0], channels, length])
    one, none = (
        add_initializer(node.graph, f"{name}{FIXED}.{kind}", fill(length, np.float32))
        for kind, fill in (("weight", np.ones), ("bias", np.zeros))
    )
    own = {"axis": -1, "epsilon": attribute(node, "epsilon", 1e-5)}
    norm = ir.node("LayerNormalization", [parts, one, none], own, name=f"{name}{FIXED}")
    found = reshaped(node, put_before(node, norm, [shape[0], channels, length]), shape)
    for kind, value, neutral in (("Mul", node.inputs[1], 1.0), ("Add", node.inputs[2], 0.0)):
        array = _one_each(node, value, channels)
        if (array != neutral).any():
            name = present(value).name
            each = add_initializer(node.graph, name, array.reshape(channels, *[1] * (len(shape) - 2)))
            found = put_before(node, ir.node(kind, [found, each]), shape)
    give_result(node.outputs[0], found)
    node.graph.remove(node, safe=True)


def _one_each(node, value, channels):
    """A weight or bias with one number for each channel."""
    array = constant(value)
    if array is None or array.shape != (channels,) or not np.isfinite(array).all():
        raise StepforwardError(
            f"the weight or bias of {describe(node)} is computed, not finite, or does not fit its {channels} channels",
            "only constant weights can be adapted: check that the model runs in ONNX Runtime, then export it again",
        )
    return array


def _of_axes(node):
    """One that norms several axes reads them as one; its weight and bias may differ in each place, as before."""
    shape = list(dims(node.inputs[0], node))
    axis = attribute(node, "axis", -1) % len(shape)
    if not 0 < axis < len(shape) - 1:
        return
    length, result = math.prod(shape[axis:]), node.outputs[0]
    for index, value in enumerate(node.inputs[1:], 1):
        array = constant(value)
        if array is None or array.shape != tuple(shape[axis:]):
            return  # refused by the name of its axis
        set_constant(node, index, array.reshape(-1), present(value).name)
    flat = [*shape[:axis], length]
    node.replace_input_with(0, reshaped(node, present(node.inputs[0]), flat))
    set_attributes(node, axis=-1)
    result.shape = ir.Shape(flat)
    uses = list(result.uses())
    back = add_initializer(node.graph, f"{result.name}.shape", np.array([0, *shape[1:]], np.int64))
    made = ir.node("Reshape", [result, back])
    made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(shape), ir.DataType.FLOAT
    node.graph.insert_after(node, made)
    for use in uses:
        use.node.replace_input_with(use.idx, made.outputs[0])
