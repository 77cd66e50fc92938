"""Layer norm over the last axis, as one node: as opset 17 has it, or as it is written with means and a root."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    attribute,
    constant,
    describe,
    dims,
    present,
    replace_node,
    set_attributes,
    set_constant,
    sole_consumer,
)
from stepforward.sources.onnx.passes.fold_affine import bias_name_of

_FIRST = 17
"""The opset that brought LayerNormalization; what networks hold otherwise means the same there as in 13."""


def layer_norms(graph: ir.Graph) -> None:
    """Write layer norms as LayerNormalization over the last axis (axis -1) with a weight and a bias (channels,).

    Raises:
        StepforwardError: a weight or bias is computed, not finite or of another shape, or more than one axis is normed.
    """
    for node in list(graph):
        if node.graph is not None and node.op_type == "Sub" and _fuse(node):
            bring_layer_norms(graph)
    for node in list(graph):
        if node.op_type == "LayerNormalization":
            _normalize(node)


def bring_layer_norms(graph: ir.Graph) -> None:
    """Let a graph of an older opset have them."""
    graph.opset_imports[""] = max(_FIRST, graph.opset_imports.get("", _FIRST))


def _fuse(centred):
    """(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon), perhaps times a weight and with a bias; whether it was
    there."""
    x = centred.inputs[0]
    if not _is_mean(present(centred.inputs[1]).producer(), x):
        return False
    deviation = centred.outputs[0]
    quotient = next((use.node for use in deviation.uses() if use.node.op_type == "Div"), None)
    if quotient is None or quotient.inputs[0] is not deviation:
        return False
    root = quotient.inputs[1].producer()
    sum_ = root.inputs[0].producer() if root is not None and root.op_type == "Sqrt" else None
    if sum_ is None or sum_.op_type != "Add":
        return False
    epsilon = next((constant(value) for value in sum_.inputs if constant(value) is not None), None)
    variance = next((value.producer() for value in sum_.inputs if value.producer() is not None), None)
    if epsilon is None or epsilon.size != 1 or variance is None:
        return False
    square = variance.inputs[0].producer()
    if not _is_mean(variance, variance.inputs[0]) or not is_square(square, deviation):
        return False
    channels, graph = dims(x, centred)[-1], centred.graph
    norm = replace_node(
        quotient, "LayerNormalization", [x], {"axis": -1, "epsilon": float(epsilon.reshape(()))}
    )
    for index, kind, neutral in ((1, "Mul", np.ones), (2, "Add", np.zeros)):
        reader = sole_consumer(norm.outputs[0])
        found = operand_of_channels(reader, kind, norm.outputs[0], channels)
        name = f"{norm.name or 'norm'}.{('weight', 'bias')[index - 1]}"
        if reader is None or found is None:
            set_constant(norm, index, neutral(channels).astype(np.float32), name)
            continue
        values, name = present(constant(found)).reshape(-1), present(found.name)
        merged = replace_node(reader, "LayerNormalization", list(norm.inputs), dict(norm.attributes))
        graph.remove(norm, safe=True)
        norm = merged
        if not found.uses():
            del graph.initializers[name]
        set_constant(norm, index, values, name)
    return True


def _is_mean(node, source):
    """Whether a node is the mean of a value over its last axis."""
    if node is None or node.op_type != "ReduceMean" or node.inputs[0] is not source:
        return False
    axes = attribute(node, "axes")
    given = constant(node.inputs[1]) if axes is None and len(node.inputs) > 1 else None
    axes = axes if given is None else given.reshape(-1).tolist()
    rank = len(dims(source, node))
    return (
        axes is not None
        and [axis % rank for axis in axes] == [rank - 1]
        and attribute(node, "keepdims", 1) == 1
    )


def is_square(node: ir.Node | None, value: ir.Value | None) -> bool:
    """Whether a node is the square of a value."""
    if node is None or node.inputs[0] is not value:
        return False
    if node.op_type == "Mul":
        return node.inputs[1] is value
    power = constant(node.inputs[1]) if node.op_type == "Pow" else None
    return power is not None and power.size == 1 and float(power.reshape(())) == 2.0


def operand_of_channels(node: ir.Node | None, kind: str, value: ir.Value, channels: int) -> ir.Value | None:
    """The constant with one number for each channel that a node of a kind joins a value with, or None."""
    if node is None or node.op_type != kind:
        return None
    other = node.inputs[1 if node.inputs[0] is value else 0]
    array = constant(other)
    fits = array is not None and array.size == channels and array.shape[-1:] == (channels,)
    return other if fits else None


def _normalize(node):
    shape, weight = dims(node.inputs[0], node), constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    if attribute(node, "axis", -1) % len(shape) != len(shape) - 1 or len(shape) < 2:
        raise StepforwardError(
            f"{describe(node)} norms a tensor of shape {shape} from axis {attribute(node, 'axis', -1)} on",
            "norm over the last axis: nn.LayerNorm(channels)",
        )
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    if weight is None or (has_bias and bias is None):
        raise StepforwardError(
            f"the weight or bias of {describe(node)} is computed by the network",
            "only constant weights can be adapted",
        )
    name = present(present(node.inputs[1]).name)
    for index, array, neutral, called in ((1, weight, 1.0, name), (2, bias, 0.0, bias_name_of(name))):
        wanted = np.full(shape[-1:], neutral, np.float32)
        if array is not None:
            if array.size not in (1, shape[-1]) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise StepforwardError(
                    f"{describe(node)} has a weight or bias of shape {array.shape} for {shape[-1]} channels, "
                    "or one that is not finite",
                    "check that the model runs in ONNX Runtime on one sample, then export it again",
                )
            wanted[:] = array.reshape(-1)
        if array is None or array.shape != wanted.shape:
            set_constant(node, index, wanted, called)
    set_attributes(node, axis=-1, epsilon=float(attribute(node, "epsilon", 1e-5)), stash_type=None)
