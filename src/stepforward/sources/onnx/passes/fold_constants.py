"""Compute once what does not depend on the input: constants, shape arithmetic, transposed weights."""

import math
from collections.abc import Container
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, constant, describe, remove_unused

_RANDOM = {
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
}
_LARGEST = 1 << 26  # elements; more is an attack or a mistake, not shape arithmetic


def fold_constants(graph: ir.Graph, kept: Container[str] = ()) -> bool:
    """Replace nodes with constant results by initialisers; the shapes of activations must be inferred.

    An initialiser computed from one other, like a transposed weight, keeps that one's name.

    Args:
        kept: operators that stay.

    Returns:
        Whether anything changed.

    Raises:
        StepforwardError: a constant cannot be computed.
    """
    changed = False
    for node in list(graph):
        if len(node.outputs) != 1 or node.domain not in ("", "ai.onnx"):
            continue
        if node.op_type in _RANDOM or node.op_type in kept:
            continue
        array = _FROM_TYPES.get(node.op_type, _evaluate)(node)
        if array is None:
            continue
        _replace(graph, node, np.asarray(array))
        changed = True
    remove_unused(graph)
    return changed


def _static_shape(node):
    shape = node.inputs[0].shape
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    start, end = node.attributes.get("start"), node.attributes.get("end")
    window = slice(start.value if start else None, end.value if end else None)
    return np.array([int(dim) for dim in shape][window], np.int64)


def _static_cast(node):
    """CastLike of a constant needs only the type of the activation it follows."""
    array, like = constant(node.inputs[0]), node.inputs[1].dtype
    return None if array is None or like is None else array.astype(like.numpy())


_FROM_TYPES = {"Shape": _static_shape, "CastLike": _static_cast}


def _evaluate(node):
    inputs: dict[str, Any] = {}
    for value in node.inputs:
        array = constant(value)
        if value is not None and array is None:
            return None
        if value is not None:
            inputs[value.name] = array
    size = math.prod(node.outputs[0].shape) if _is_static(node.outputs[0]) else 0
    if size > _LARGEST:
        raise StepforwardError(
            f"{describe(node)} computes a constant of {size} elements", "export the model without it"
        )
    try:
        evaluator = ReferenceEvaluator(ir.to_proto(node), opsets={"": node.graph.opset_imports[""]})
        return evaluator.run(None, inputs)[0]  # type: ignore[index] # declared as a dict, it is a list
    except Exception as error:  # the evaluator raises what NumPy raises
        raise StepforwardError(
            f"the constant result of {describe(node)} cannot be computed: {error}",
            "simplify the model before exporting it",
        ) from error


def _is_static(value):
    return value.shape is not None and all(isinstance(dim, int) for dim in value.shape)


def _replace(graph, node, array):
    result = node.outputs[0]
    sources = [value for value in node.inputs if value is not None and value.is_initializer()]
    name = result.name
    if len(sources) == 1 or (sources and node.op_type in ("Reshape", "Squeeze", "Unsqueeze")):
        name = sources[0].name
        if len(sources[0].uses()) == 1 and not sources[0].is_graph_output():
            node.replace_input_with(list(node.inputs).index(sources[0]), None)
            del graph.initializers[name]
    if result.is_graph_output():
        raise StepforwardError(
            f"the network's output {result.name!r} does not depend on its input",
            "export the model that computes the logits",
        )
    result.name = None  # free for the constant
    value = add_initializer(graph, name, array)
    result.replace_all_uses_with(value)
    graph.remove(node, safe=True)
