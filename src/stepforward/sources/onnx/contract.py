"""What every later package may rely on in a canonical graph, checked."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import attribute, constant, describe, dims, present, sole_consumer
from stepforward.graph.pointwise import Functions
from stepforward.graph.recurrent import GATES, is_recurrent
from stepforward.operators.layer_norm import MOST_CHANNELS
from stepforward.operators.softmax import MOST_COLUMNS
from stepforward.operators.table import JOINS

_WINDOW = ("kernel_shape", "strides", "dilations", "pads")

_MOST_STEPS = 65536
"""As in the core."""


_MOST_COLUMNS = {"MatMul": 2**22, "Softmax": MOST_COLUMNS, "LayerNormalization": MOST_CHANNELS}


def check_contract(graph: ir.Graph, batch: int) -> None:
    """Hold a canonical graph to known shapes with the batch first, finite weights that fit, and computed inputs.

    Raises:
        StepforwardError: naming the node.
    """
    functions = Functions(graph)
    for node in graph:
        shape = dims(node.outputs[0], node)
        if shape[0] != batch:
            raise StepforwardError(
                f"{describe(node)} gives a tensor of shape {shape} whose first axis is not the batch",
                "keep the batch as the first axis throughout the network",
            )
        if 0 in shape:
            raise StepforwardError(
                f"{describe(node)} gives an empty tensor of shape {shape}",
                "check that the model runs in ONNX Runtime on one sample, then export it again",
            )
        if node.op_type in ("Reshape", "Flatten") and math.prod(shape) != math.prod(
            dims(node.inputs[0], node)
        ):
            raise StepforwardError(
                f"{describe(node)} changes the number of elements: {dims(node.inputs[0], node)} -> {shape}",
                "check that the model runs in ONNX Runtime on one sample, then export it again",
            )
        if len(shape) > 5:
            raise StepforwardError(
                f"{describe(node)} works on a tensor of shape {shape}, which has more than four axes besides the batch",
                "join axes with a reshape before it",
            )
        largest = max(max(attribute(node, name, (0,))) for name in _WINDOW)
        if largest > _MOST_STEPS:
            raise StepforwardError(
                f"{describe(node)} has a window, stride, dilation or padding of {largest:,}; up to {_MOST_STEPS:,} can "
                "be computed",
                "export the model with the sizes it runs at",
            )
        if node.op_type in ("Conv", "MaxPool", "AveragePool"):
            _check_window(node)
        if node in functions.last:
            continue
        if node.op_type in FUNCTIONS and node.op_type not in (*JOINS, "Relu", "Clip"):
            raise StepforwardError(
                f"{describe(node)} does not compute a function of one value",
                "give it one computed operand, and scalars as the others",
            )
        activations = node.inputs if node.op_type in (*JOINS, "Concat", "MatMul") else node.inputs[:1]
        if node.op_type == "Where":
            _check_mask(node)
        elif any(constant(value) is not None for value in activations):
            raise StepforwardError(
                f"{describe(node)} joins a tensor with a constant",
                "only tensors computed from the input can be joined",
            )
        if node.op_type in JOINS and len({len(dims(value, node)) for value in node.inputs}) > 1:
            shapes = " and ".join(str(dims(value, node)[1:]) for value in node.inputs)
            raise StepforwardError(
                f"{describe(node)} joins samples of different shapes {shapes}",
                "give both as many axes, with a size of 1 where one has a single number for all of the other's",
            )
        if node.op_type in ("Conv", "Gemm"):
            _check_parameters(node)
        if is_recurrent(node):
            _check_recurrent(node)
        if node.op_type in ("MatMul", "Softmax", "LayerNormalization"):
            _check_rows(node, shape)


def _check_rows(node, shape):
    """The core's products of tensors have one matrix for each place in the other axes, and rows are the last axis."""
    if node.op_type == "MatMul":
        a, b = (dims(value, node) for value in node.inputs)
        if len(a) != len(b) or a[:-2] != b[:-2]:
            raise StepforwardError(
                f"{describe(node)} multiplies tensors of shapes {a} and {b}",
                "give both the same axes before the last two",
            )
    elif node.op_type == "Softmax" and attribute(node, "axis", -1) % len(shape) != len(shape) - 1:
        raise StepforwardError(
            f"{describe(node)} works along axis {attribute(node, 'axis', -1)} of a tensor of shape {shape}",
            "take it over another axis than the batch",
        )
    if shape[-1] > _MOST_COLUMNS[node.op_type]:
        raise StepforwardError(
            f"{describe(node)} has rows of {shape[-1]:,}; up to {_MOST_COLUMNS[node.op_type]:,} can be computed",
            "export the model with the sizes it runs at",
        )


def _check_mask(node):
    reader = sole_consumer(node.outputs[0])
    if (
        reader is None
        or reader.op_type != "Softmax"
        or any(constant(node.inputs[at]) is None for at in (0, 2))
    ):
        raise StepforwardError(
            f"{describe(node)} chooses among values",
            "only constant masks of the scores that a softmax reads are supported; use Relu, Clip or max pooling "
            "where the network chooses by value",
        )


def _check_recurrent(node):
    """One layer reads all of the states that it may read; what it reads has nothing else to do."""
    x, weight, bias = node.inputs
    shape, rows = dims(x, node), GATES[node.op_type] * attribute(node, "hidden_size")
    arrays = [constant(value) for value in (weight, bias)]
    sizes = [None if array is None else array.shape for array in arrays]
    if len(shape) != 3 or shape[2] != rows or sizes != [(rows, attribute(node, "hidden_size")), (rows,)]:
        raise StepforwardError(
            f"the weight {sizes[0]} and bias {sizes[1]} of {describe(node)} do not fit its {shape} inputs",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    if not all(np.isfinite(present(array)).all() for array in arrays):
        raise StepforwardError(
            f"the weight or bias of {describe(node)} contains NaN or Inf",
            "the training diverged or the file is damaged: use an earlier checkpoint",
        )


def _check_window(node):
    """ONNX's rules round towards zero, and give a window that does not fit one position."""
    image, pads = dims(node.inputs[0], node)[2:], attribute(node, "pads", (0, 0, 0, 0))
    kernel, dilations = attribute(node, "kernel_shape"), attribute(node, "dilations", (1, 1))
    padded = [size + pads[i] + pads[i + 2] for i, size in enumerate(image)]
    if any(d * (k - 1) + 1 > size for d, k, size in zip(dilations, kernel, padded, strict=True)):
        raise StepforwardError(
            f"{describe(node)} has a window of {tuple(kernel)} on an image of {tuple(padded)}, padding included",
            "feed larger images, or use a smaller window",
        )


def check_layers(graph: ir.Graph) -> None:
    """Hold constant weights and biases of every Conv and Gemm (outputs first) to what the layer reads.

    Raises:
        StepforwardError: naming the node.
    """
    for node in graph:
        if node.op_type in ("Conv", "Gemm") and constant(node.inputs[1]) is not None:
            _check_parameters(node)


def _check_parameters(node):
    weight, bias = present(constant(node.inputs[1])), constant((*node.inputs, None)[2])
    group, channels = attribute(node, "group", 1), dims(node.inputs[0], node)[1]
    bias = np.zeros(weight.shape[:1], np.float32) if bias is None else bias
    fits = weight.ndim > 1 and group > 0 and weight.shape[1] * group == channels and not len(weight) % group
    if not fits or bias.shape != weight.shape[:1]:
        raise StepforwardError(
            f"the weight {weight.shape} and bias {bias.shape} of {describe(node)} do not fit its {channels} input "
            f"channels in {group} group(s)",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    if weight.dtype.kind != "f" or bias.dtype.kind != "f":
        raise StepforwardError(
            f"the weight and bias of {describe(node)} are {weight.dtype} and {bias.dtype}, not float32",
            "export the model with float32 weights",
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise StepforwardError(
            f"the weight or bias of {describe(node)} contains NaN or Inf",
            "the training diverged or the file is damaged: use an earlier checkpoint",
        )
