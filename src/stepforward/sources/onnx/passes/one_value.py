"""Functions of one value, written so that they are recognized: scalar constants, and few kinds of operators."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    copy_dtype,
    dims,
    present,
    replace_node,
    set_constant,
)
from stepforward.graph.pointwise import Functions


def one_value(graph: ir.Graph) -> None:
    """Write constants of one element without dimensions where a function may read them, and Swish as x*sigmoid(a*x).

    What is no function of one value becomes joins and layers: a PRelu of several slopes p*x + (1-p)*relu(x), the
    difference of two tensors a sum, their quotient a product.
    """
    for node in list(graph):
        if node.op_type == "Swish":
            _swish(node)
        elif node.op_type in FUNCTIONS and len(node.inputs) == 2:
            _scalars(node)
    functions = Functions(graph)
    for node in list(graph):
        if node in functions.last:
            continue
        if node.op_type == "PRelu" and constant(node.inputs[1]) is not None:
            _slopes(node)
        elif node.op_type in ("Sub", "Div") and all(constant(value) is None for value in node.inputs):
            _as_join(node)


def _scalars(node):
    for index, value in enumerate(node.inputs):
        array, other = constant(value), node.inputs[1 - index]
        if array is None or array.size != 1 or array.ndim == 0 or constant(other) is not None:
            continue
        if dims(node.outputs[0], node) == dims(other, node):
            set_constant(node, index, array.reshape(()), f"{node.outputs[0].name}.constant")


def _swish(node):
    x, alpha = node.inputs[0], attribute(node, "alpha", 1.0)
    inner = x if alpha == 1.0 else _before(node, "Mul", [x, _constant(node, "alpha", np.float32(alpha))])
    replace_node(node, "Mul", [x, _before(node, "Sigmoid", [inner])])


def _slopes(node):
    x, slope = node.inputs[0], present(constant(node.inputs[1]))
    positive = _before(node, "Mul", [_before(node, "Relu", [x]), _constant(node, "rest", 1 - slope)])
    replace_node(node, "Add", [positive, _before(node, "Mul", [x, _constant(node, "slope", slope)])])


def _as_join(node):
    a, b = node.inputs
    if node.op_type == "Sub":
        replace_node(node, "Add", [a, _before(node, "Neg", [b])])
    else:
        replace_node(node, "Mul", [a, _before(node, "Reciprocal", [b])])


def _constant(node, name, array):
    return add_initializer(node.graph, f"{node.outputs[0].name}.{name}", np.asarray(array, np.float32))


def _before(node, op_type, inputs):
    made = ir.node(op_type, inputs, name=f"{node.name}_{op_type.lower()}")
    made.outputs[0].shape = inputs[0].shape
    copy_dtype(made.outputs[0], inputs[0])
    node.graph.insert_before(node, made)
    return made.outputs[0]
