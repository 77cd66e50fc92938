"""Batch norm and arithmetic with constants are y = a*x + b per channel: fold them into a Conv or Gemm."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    constant,
    describe,
    dims,
    present,
    replace_node,
    set_constant,
    sole_consumer,
)
from stepforward.graph.pointwise import Functions

_ARITHMETIC = ("Add", "Sub", "Mul", "Div")


@np.errstate(all="ignore")  # _finite names the node where something is divided by zero
def fold_affine(graph: ir.Graph) -> None:
    """Fold BatchNormalization, Neg, and Add, Sub, Mul, Div with a per-channel constant.

    Into the Conv or Gemm before it where that feeds nothing else. Several in a row elsewhere become one, which
    goes into the Gemm after it, also through a Flatten, or else becomes a depthwise 1x1 convolution. Products
    are formed in float64 and rounded once.

    Raises:
        StepforwardError: the constant varies inside a channel.
    """
    functions = Functions(graph)
    for node in list(graph):
        if node in functions.last:
            continue
        affine = _affine(node) if node.graph is not None else None  # one of a chain is gone with the first
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
        else:
            last, scale, shift = _chain(node, scale, shift, functions)
            if not _fold_forward(last, source, scale, shift):
                _depthwise(last, source, scale, shift)


def _affine(node):
    """(input, scale, shift, name of the shift's initialiser) of y = scale*x + shift; None for others."""
    if node.op_type == "BatchNormalization":
        return _batch_norm(node)
    if node.op_type == "Neg":
        channels = dims(node.inputs[0], node)[1]
        return node.inputs[0], -np.ones(channels), np.zeros(channels), None
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


def _chain(node, scale, shift, functions):
    """The last of the affine nodes that follow each other from `node` on, and what all of them do together."""
    while (reader := sole_consumer(node.outputs[0])) is not None and reader not in functions.last:
        affine = _affine(reader)
        if affine is None:
            break
        _, factor, more, _ = affine
        scale, shift = scale * factor, shift * factor + more
        bypass(node, node.inputs[_fed(node)])
        node = reader
    return node, scale, shift


def _fed(node):
    """Which input of an affine node is computed."""
    return next(index for index, value in enumerate(node.inputs) if constant(value) is None)


def _batch_norm(node):
    if attribute(node, "training_mode", 0):
        raise StepforwardError(f"{describe(node)} is in training mode", "call model.eval() before exporting")
    arrays = [array for array in map(constant, node.inputs[1:5]) if array is not None]
    if len(arrays) < len(node.inputs[1:5]):
        raise StepforwardError(
            f"{describe(node)} has computed statistics", "call model.eval() before exporting"
        )
    channels = dims(node.inputs[0], node)[1]
    if any(array.shape != (channels,) for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise StepforwardError(
            f"{describe(node)} has statistics of shapes {shapes} for {channels} channels",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays)
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return node.inputs[0], scale, beta - mean * scale, None


def _per_channel(node, array, shape):
    """The constant as one float64 per channel (axis 1)."""
    if array.ndim > len(shape):
        raise StepforwardError(
            f"{describe(node)} combines a tensor of shape {shape} with a constant of shape {array.shape}",
            "give the constant no more axes than the tensor has: another one moves the batch",
        )
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    varies = [axis for axis, dim in enumerate(full.shape) if dim != 1 and axis != 1]
    if varies or full.shape[1] not in (1, shape[1]):
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
    weight = present(constant(producer.inputs[1])).astype(np.float64)
    has_bias = len(producer.inputs) > 2 and producer.inputs[2] is not None
    bias = present(constant(producer.inputs[2])).astype(np.float64) if has_bias else np.zeros(len(weight))
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
    """Fold into the Gemm that alone reads the result, also through a Flatten; whether there is one."""
    reader, shape = sole_consumer(node.outputs[0]), dims(source, node)
    if reader is not None and reader.op_type == "Flatten":
        reader = sole_consumer(reader.outputs[0])
        scale, shift = (np.repeat(array, math.prod(shape[2:])) for array in (scale, shift))
    if reader is None or reader.op_type != "Gemm":
        return False
    weight = present(constant(reader.inputs[1])).astype(np.float64)
    if weight.shape[1] != len(scale):
        return False
    has_bias = len(reader.inputs) > 2 and reader.inputs[2] is not None
    bias = present(constant(reader.inputs[2])).astype(np.float64) if has_bias else np.zeros(len(weight))
    name = present(present(reader.inputs[1]).name)
    set_constant(reader, 2, _finite(reader, bias + weight @ shift), bias_name_of(name))
    set_constant(reader, 1, _finite(reader, weight * scale), name)
    bypass(node, source)
    return True


def _depthwise(node, source, scale, shift):
    """A depthwise 1x1 convolution; a tensor that is no image is one for it: all axes after the third are its width."""
    graph, shape, channels = node.graph, dims(source, node), len(scale)
    name = node.inputs[1].name if node.op_type == "BatchNormalization" else f"{node.outputs[0].name}.weight"
    window = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
    if len(shape) == 4:
        conv = replace_node(node, "Conv", [source], {**window, "group": channels})
    else:
        image = [*shape[:2], math.prod(shape[2:3]), math.prod(shape[3:])]
        target = add_initializer(graph, f"{node.outputs[0].name}.shape", np.array([0, *image[1:]], np.int64))
        before = ir.node("Reshape", [source, target], name=f"{node.name}_image")
        conv = ir.node("Conv", [before.outputs[0]], {**window, "group": channels}, name=node.name)
        for made in (before, conv):
            made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(image), ir.DataType.FLOAT
            graph.insert_before(node, made)
        _back(node, conv.outputs[0], shape)
    set_constant(conv, 1, _finite(conv, scale.reshape(channels, 1, 1, 1)), name)
    set_constant(conv, 2, _finite(conv, shift), bias_name_of(name))


def _back(node, image, shape):
    """Put a change of shape in the place of `node`: an image becomes a tensor of rank 2 or 3 again."""
    if len(shape) == 2:
        replace_node(node, "Flatten", [image], {"axis": 1})
        return
    target = np.array([0, *shape[1:]], np.int64)
    replace_node(
        node, "Reshape", [image, add_initializer(node.graph, f"{node.outputs[0].name}.back", target)]
    )


def _finite(node, array):
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise StepforwardError(
            f"folding constants into {describe(node)} gives weights that are not finite",
            "look for a batch norm with zero or negative variance, or a division by zero",
        )
    return array
