"""Layer norm over the last axis, as one node: as opset 17 has it, or as it is written with means and a root."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    attribute,
    constant,
    describe,
    dims,
    present,
    remove_unused,
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
        if node.graph is None or node.op_type != "Sqrt" or (found := _moments(node)) is None:
            continue
        if _fuse_quotient(found) or _fuse_factors(found):
            bring_layer_norms(graph)
    for node in list(graph):
        if node.op_type == "LayerNormalization":
            _normalize(node)


def bring_layer_norms(graph: ir.Graph) -> None:
    """Let a graph of an older opset have them."""
    graph.opset_imports[""] = max(_FIRST, graph.opset_imports.get("", _FIRST))


class _Moments(NamedTuple):
    """The deviation x - mean(x), and sqrt(mean(deviation^2) + epsilon)."""

    x: ir.Value
    mean: ir.Value
    deviation: ir.Value
    root: ir.Value
    epsilon: float


def _moments(root: ir.Node) -> _Moments | None:
    """What a root is of, if that is a variance over the last axis and a number."""
    sum_ = present(root.inputs[0]).producer()
    if sum_ is None or sum_.op_type != "Add":
        return None
    epsilon = next((constant(value) for value in sum_.inputs if constant(value) is not None), None)
    variance = next((present(value).producer() for value in sum_.inputs if constant(value) is None), None)
    if epsilon is None or epsilon.size != 1 or variance is None or not variance.inputs:
        return None
    square = present(variance.inputs[0]).producer()
    deviation = None if square is None else square.inputs[0]
    centred = None if deviation is None else deviation.producer()
    if not is_square(square, deviation) or centred is None or centred.op_type != "Sub":
        return None
    x, mean = present(centred.inputs[0]), present(centred.inputs[1])
    if not _is_mean(variance, variance.inputs[0]) or not _is_mean(mean.producer(), x):
        return None
    return _Moments(x, mean, present(deviation), root.outputs[0], float(epsilon.reshape(())))


def _fuse_quotient(found: _Moments) -> bool:
    """deviation / root, perhaps times a weight and with a bias; whether it was there."""
    uses = [use.node for use in found.deviation.uses()]
    quotient = next((n for n in uses if n.op_type == "Div" and n.inputs[1] is found.root), None)
    if quotient is None or quotient.inputs[0] is not found.deviation:
        return False
    channels = dims(found.x, quotient)[-1]
    operands: list[ir.Value | None] = []
    last = quotient
    for kind in ("Mul", "Add"):
        reader = sole_consumer(last.outputs[0])
        operands.append(operand_of_channels(reader, kind, last.outputs[0], channels))
        if operands[-1] is not None:
            last = present(reader)
    _put(found, last, operands)
    return True


def _fuse_factors(found: _Moments) -> bool:
    """x * factor + (bias - mean * factor), where the factor is a weight, perhaps, divided by the root: what converters
    of TensorFlow make of layer norms; whether it was there."""
    inverse = sole_consumer(found.root)
    if inverse is None or inverse.op_type != "Reciprocal":
        return False
    channels, factor = dims(found.x, inverse)[-1], inverse.outputs[0]
    reader = sole_consumer(factor)
    weight = operand_of_channels(reader, "Mul", factor, channels)
    if weight is not None:
        factor = present(reader).outputs[0]
    scaled, shift = (_product(factor, value) for value in (found.x, found.mean))
    if scaled is None or shift is None or len(factor.uses()) != 2:
        return False
    last, bias = sole_consumer(scaled), None
    between = sole_consumer(shift)
    if between is None or last is None:
        return False
    if between is not last:  # bias - mean * factor, to which x * factor is added
        bias = between.inputs[0]
        array, rest = constant(bias), between.outputs[0]
        if between.op_type != "Sub" or between.inputs[1] is not shift or sole_consumer(rest) is not last:
            return False
        if array is None or array.size != channels or last.op_type != "Add":
            return False
    elif last.op_type != "Sub" or last.inputs[0] is not scaled:
        return False
    _put(found, last, [weight, bias])
    return True


def _product(factor: ir.Value, value: ir.Value) -> ir.Value | None:
    """The product of two values, if there is one node that computes it."""
    for use in factor.uses():
        node = use.node
        if node.op_type == "Mul" and {*node.inputs} == {factor, value}:
            return node.outputs[0]
    return None


def _put(found: _Moments, last: ir.Node, operands: Sequence[ir.Value | None]) -> None:
    """Put a layer norm in the place of its last node, with a weight and a bias where they are."""
    graph, channels = present(last.graph), dims(found.x, last)[-1]
    given = [(present(constant(v)).reshape(-1), present(v.name)) if v is not None else None for v in operands]
    norm = replace_node(last, "LayerNormalization", [found.x], {"axis": -1, "epsilon": found.epsilon})
    remove_unused(graph)  # so that weight and bias keep their names
    for index, kind, neutral in ((1, "weight", np.ones), (2, "bias", np.zeros)):
        values, name = given[index - 1] or (
            neutral(channels).astype(np.float32),
            f"{norm.name or 'norm'}.{kind}",
        )
        set_constant(norm, index, values, name)


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
            fits = array.size == 1 or array.size == shape[-1] == array.shape[-1]
            if not fits or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise StepforwardError(
                    f"{describe(node)} has a weight or bias of shape {array.shape} for {shape[-1]} channels, "
                    "or one that is not finite",
                    "check that the model runs in ONNX Runtime on one sample, then export it again",
                )
            wanted[:] = array.reshape(-1)
        if array is None or array.shape != wanted.shape:
            set_constant(node, index, wanted, called)
    set_attributes(node, axis=-1, epsilon=float(attribute(node, "epsilon", 1e-5)), stash_type=None)
