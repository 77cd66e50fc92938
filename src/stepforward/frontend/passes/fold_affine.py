"""Batch norm and arithmetic with constants are y = a*x + b per channel: fold them into a Conv or Gemm."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.frontend.graph import (
    attribute,
    bypass,
    constant,
    describe,
    dims,
    replace_node,
    set_constant,
    sole_consumer,
)

_ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def fold_affine(graph: ir.Graph) -> None:
    """Fold BatchNormalization and Add, Sub, Mul, Div with a per-channel constant.

    Into the Conv or Gemm before it where that feeds nothing else; into the Gemm behind it; otherwise an image
    gets a depthwise 1x1 convolution. Products are formed in float64 and rounded once.

    Raises:
        StepforwardError: the constant varies inside a channel, or there is nothing to fold into.
    """
    for node in list(graph):
        affine = _affine(node)
        if affine is None:
            continue
        source, scale, shift, shift_name = affine
        producer = source.producer()
        if (
            producer is not None
            and producer.op_type in ("Conv", "Gemm")
            and sole_consumer(source) is node
            and constant(producer.inputs[1]) is not None
        ):
            bypass(node, source)
            _forget(producer.graph, shift_name)
            _fold_back(producer, scale, shift, shift_name)
        elif len(dims(source, node)) == 4:
            _depthwise(node, source, scale, shift)
        else:
            _fold_forward(node, source, scale, shift)


def _affine(node):
    """(input, scale, shift, name of the shift's initialiser) of y = scale*x + shift; None for others."""
    if node.op_type == "BatchNormalization":
        return _batch_norm(node)
    if node.op_type not in _ARITHMETIC or len(node.inputs) != 2:
        return None
    index = next((i for i in (1, 0) if constant(node.inputs[i]) is not None), None)
    if index is None or (index == 0 and node.op_type == "Div"):
        return None
    source = node.inputs[1 - index]
    value = _per_channel(node, constant(node.inputs[index]), dims(source, node))
    one, zero = np.ones_like(value), np.zeros_like(value)
    if node.op_type == "Mul":
        return source, value, zero, None
    if node.op_type == "Div":
        return source, 1.0 / value, zero, None
    if node.op_type == "Add":
        return source, one, value, node.inputs[index].name
    return (source, one, -value, None) if index == 1 else (source, -one, value, None)


def _batch_norm(node):
    if attribute(node, "training_mode", 0):
        raise StepforwardError(f"{describe(node)} is in training mode", "call model.eval() before exporting")
    arrays = [constant(value) for value in node.inputs[1:5]]
    if any(array is None for array in arrays):
        raise StepforwardError(
            f"{describe(node)} has computed statistics", "call model.eval() before exporting"
        )
    gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays)
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return node.inputs[0], scale, beta - mean * scale, None


def _per_channel(node, array, shape):
    """The constant as one float64 per channel (axis 1)."""
    full = (
        array.reshape((1,) * (len(shape) - array.ndim) + array.shape) if array.ndim <= len(shape) else array
    )
    varies = [axis for axis, dim in enumerate(full.shape) if dim != 1 and axis != 1]
    if varies or full.ndim != len(shape) or full.shape[1] not in (1, shape[1]):
        raise StepforwardError(
            f"{describe(node)} combines a tensor of shape {shape} with a constant of shape {array.shape}",
            "constants may differ between channels only, not between positions",
        )
    return np.broadcast_to(full.reshape(-1), (shape[1],)).astype(np.float64)


def _forget(graph, name):
    """Free the name of a constant that is about to become a bias."""
    if name in graph.initializers and not graph.initializers[name].uses():
        del graph.initializers[name]


def _fold_back(producer, scale, shift, shift_name):
    weight = constant(producer.inputs[1]).astype(np.float64)
    has_bias = len(producer.inputs) > 2 and producer.inputs[2] is not None
    bias = constant(producer.inputs[2]).astype(np.float64) if has_bias else np.zeros(len(weight))
    name = producer.inputs[1].name
    if np.any(scale != 1):
        folded = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
        set_constant(producer, 1, _finite(producer, folded), name)
    bias_name = producer.inputs[2].name if has_bias else shift_name or bias_name_of(name)
    set_constant(producer, 2, _finite(producer, bias * scale + shift), bias_name)


def bias_name_of(weight_name: str) -> str:
    """The name of the bias that goes with a weight.

    >>> bias_name_of("layer1.conv1.weight")
    'layer1.conv1.bias'
    """
    return f"{weight_name.removesuffix('.weight')}.bias"


def _fold_forward(node, source, scale, shift):
    reader = sole_consumer(node.outputs[0])
    if reader is None or reader.op_type != "Gemm":
        raise StepforwardError(
            f"{describe(node)} has no linear layer or convolution next to it to be folded into",
            "remove it, or move it behind a Linear or Conv2d layer",
        )
    weight = constant(reader.inputs[1]).astype(np.float64)
    has_bias = len(reader.inputs) > 2 and reader.inputs[2] is not None
    bias = constant(reader.inputs[2]).astype(np.float64) if has_bias else np.zeros(len(weight))
    name = reader.inputs[1].name
    set_constant(reader, 2, _finite(reader, bias + weight @ shift), bias_name_of(name))
    set_constant(reader, 1, _finite(reader, weight * scale), name)
    bypass(node, source)


def _depthwise(node, source, scale, shift):
    channels = len(scale)
    name = node.inputs[1].name if node.op_type == "BatchNormalization" else f"{node.outputs[0].name}.weight"
    conv = replace_node(
        node,
        "Conv",
        [source],
        {
            "kernel_shape": [1, 1],
            "strides": [1, 1],
            "pads": [0, 0, 0, 0],
            "dilations": [1, 1],
            "group": channels,
        },
    )
    set_constant(conv, 1, _finite(conv, scale.reshape(channels, 1, 1, 1)), name)
    set_constant(conv, 2, _finite(conv, shift), bias_name_of(name))


def _finite(node, array):
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise StepforwardError(
            f"folding constants into {describe(node)} gives weights that are not finite",
            "look for a batch norm with zero or negative variance, or a division by zero",
        )
    return array
