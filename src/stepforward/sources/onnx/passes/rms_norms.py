"""Norms by the root of the mean square, as layer norms: the mean of x and -x is 0, and their deviation is that root."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    give_result,
    present,
    sole_consumer,
)
from stepforward.sources.onnx.passes.layer_norms import bring_layer_norms, is_square, operand_of_channels
from stepforward.sources.onnx.passes.token_layers import bounds, put_before, put_node, reshaped


def rms_norms(graph: ir.Graph) -> None:
    """Write RMSNormalization, and what is spelled out as x / sqrt(mean(x^2) + epsilon), as the first half of a
    LayerNormalization of x and -x, along one last axis.

    Raises:
        StepforwardError: the weight is computed or does not fit, by the name of the node.
    """
    for node in list(graph):
        if node.graph is None:
            continue
        if node.op_type == "RMSNormalization":
            x = present(node.inputs[0])
            axis = attribute(node, "axis", -1) % len(dims(x, node))
            if axis > 0:
                _rewrite(node, x, axis, attribute(node, "epsilon", 1e-5), present(node.inputs[1]))
        elif node.op_type in ("Mul", "Div"):
            found = _spelled_out(node)
            if found is not None:
                x, axis, epsilon = found
                scaled = sole_consumer(node.outputs[0])
                channels = dims(x, node)[-1]
                weight = operand_of_channels(scaled, "Mul", node.outputs[0], channels)
                if scaled is None or weight is None or axis != len(dims(x, node)) - 1:
                    scaled, weight = node, None
                _rewrite(scaled, x, axis, epsilon, weight)


def _spelled_out(node):
    """What a node divides by the root of its mean square, the first axis of the mean, epsilon; or None."""
    x, other = node.inputs
    for value, by in ((x, other), (other, x)) if node.op_type == "Mul" else ((x, other),):
        root = present(by).producer()
        if node.op_type == "Mul":
            root = root.inputs[0].producer() if root is not None and root.op_type == "Reciprocal" else None
        total = root.inputs[0].producer() if root is not None and root.op_type == "Sqrt" else None
        if total is None or total.op_type != "Add":
            continue
        epsilon = next((constant(one) for one in total.inputs if constant(one) is not None), None)
        mean = next((one.producer() for one in total.inputs if one.producer() is not None), None)
        if epsilon is None or epsilon.size != 1 or mean is None or mean.op_type != "ReduceMean":
            continue
        rank, axes = len(dims(value, node)), attribute(mean, "axes")
        given = constant((*mean.inputs, None)[1]) if axes is None else np.array(axes)
        if (
            given is None
            or attribute(mean, "keepdims", 1) != 1
            or not is_square(mean.inputs[0].producer(), value)
        ):
            continue
        axes = sorted(int(axis) % rank for axis in given.reshape(-1))
        if axes and axes[0] > 0 and axes == list(range(axes[0], rank)):
            return value, axes[0], float(epsilon.reshape(()))
    return None


def _rewrite(node, x, axis, epsilon, weight):
    """
    Args:
        weight: None, or a constant with a number for each place of the axes that are normed.
    """
    shape, graph = list(dims(x, node)), node.graph
    bring_layer_norms(graph)
    length, name = math.prod(shape[axis:]), node.name or node.outputs[0].name
    array = np.ones(length, np.float32) if weight is None else constant(weight)
    if array is None or array.size != length or not np.isfinite(array).all():
        raise StepforwardError(
            f"the weight of {describe(node)} is computed, not finite, or does not fit its {length} channels",
            "only constant weights can be adapted: check that the model runs in ONNX Runtime, then export it again",
        )
    own = "rms_norm.fixed" if weight is None else present(weight.name).removesuffix(".weight")
    flat = [*shape[:axis], length]
    whole = [*shape[:axis], 2 * length]
    parts = reshaped(node, x, flat)
    both = put_node(node, "Concat", [parts, put_node(node, "Neg", [parts], flat)], whole, axis=len(flat) - 1)
    doubled = np.concatenate([array.reshape(-1)] * 2).astype(np.float32)
    scale = add_initializer(graph, f"{own}.weight", doubled)
    none = add_initializer(graph, f"{own}.bias", np.zeros(2 * length, np.float32))
    norm = ir.node("LayerNormalization", [both, scale, none], {"axis": -1, "epsilon": epsilon}, name=name)
    normed = put_before(node, norm, whole)
    half = put_node(node, "Slice", [normed, *bounds(node, len(flat) - 1, 0, length)], flat)
    give_result(node.outputs[0], reshaped(node, half, shape))
    graph.remove(node, safe=True)
