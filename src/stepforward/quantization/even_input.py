"""Input channels of very different size: bring each to the range from -1 to 1 before they share one scale.

A network's input has one int8 scale. Where one channel reaches 10,000 and another 0.1, the small one becomes 0. The
graph then gets a Sub and a Mul in front, with one constant per channel, and the first linear layers undo them. Channels
may lie along any axis: cepstral coefficients are often the last.

    z = (x - offset) * factor        w' = w / factor        b' = b + w @ offset

so the float network computes what it did, and the integers of z use all their steps in every channel.
"""

import math

import numpy as np
import onnx_ir as ir

from stepforward.data.rows import evenly
from stepforward.graph.forward import run
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    present,
    set_constant,
    value_names,
)
from stepforward.graph.parts import part_nodes

_RATIO = 8
"""Channels whose ranges differ by less share a scale: the smallest still has 16 of 127 steps."""

_EFFECT = 1 / 32
"""And so do channels whose rounding moves the logits by less than this part of their spread."""

_MOST_SAMPLES = 256


def even_input(graph: ir.Graph, x: np.ndarray, axis: int = 1) -> bool:
    """Put a Sub and a Mul in front of a canonical graph where one scale for the whole input would cost accuracy.

    Args:
        graph: canonical float graph; changed in place.
        x: calibration samples, float32, as the network reads them.
        axis: of channels, tried first: 1 for the features of (N, features) and the planes of (N, C, H, W); 3 for
            (N, H, W, C). The others follow, the last one first.

    Returns:
        Whether the graph was changed: ranges differ more than 8 times, rounding them to one scale moves the logits,
        a scale per channel moves them at most half as much, and linear layers can undo it.
    """
    axes = [axis, *(other for other in range(x.ndim - 1, 0, -1) if other != axis)]
    return any(_even_along(graph, x, one) for one in axes)


def even_parts(graph: ir.Graph, x: np.ndarray) -> bool:
    """Put a Sub and a Mul in front of a graph whose input is a row of several, so that each has the whole range of the
    row's one scale, and the reverse where each begins, as a part of the function that it goes through there.

    Args:
        graph: canonical float graph; changed in place.
        x: calibration samples, float32 (N, numbers of all parts).

    Returns:
        Whether it is such a graph.
    """
    nodes = part_nodes(graph)
    offset, factor = np.zeros(x.shape[1:], np.float32), np.ones(x.shape[1:], np.float32)
    for node, columns in nodes:
        part, own = x[:, columns.start : columns.stop].astype(np.float64), slice(columns.start, columns.stop)
        middle = np.float32((part.min() + part.max()) / 2)
        half = np.float32(max(part.max() - middle, middle - part.min())) or np.float32(abs(middle) or 1)
        offset[own], factor[own] = middle, 1 / half
        _reversed(graph, node, middle, half)
    if nodes:
        _prepend(graph, offset, factor, 1)
    return bool(nodes)


def _reversed(graph: ir.Graph, node: ir.Node, offset: np.float32, half: np.float32) -> None:
    """A Mul and an Add before a node, which undo what the input went through."""
    steps = [("Mul", f"{node.name}.half", np.array(half)), ("Add", f"{node.name}.middle", np.array(offset))]
    nodes = _steps(graph, present(node.inputs[0]), steps)
    graph.insert_before(node, nodes)
    node.replace_input_with(0, nodes[-1].outputs[0])


def _even_along(graph, x, axis):
    axes = tuple(other for other in range(x.ndim) if other != axis)
    lo, hi = (x.min(axis=axes).astype(np.float64), x.max(axis=axes).astype(np.float64))
    ranges = _Ranges.of(lo, hi)
    if ranges is None:
        return False
    for offset, factor in (ranges.centred(), ranges.scaled()):
        undone = _Undone(graph, offset, factor, axis)
        if undone.possible:
            break
    else:
        return False
    if not _helps(graph, x, lo, hi, offset, factor, axis):
        return False
    undone.write()
    _prepend(graph, offset, factor, axis)
    return True


class _Ranges:
    """Smallest and largest value of each channel; channels that never change keep the range of the largest."""

    def __init__(self, lo, hi):
        self.lo, self.hi = lo, hi
        self.magnitude = np.maximum(np.abs(lo), np.abs(hi))

    @classmethod
    def of(cls, lo, hi):
        """The ranges, or None where one scale serves all channels."""
        half = (hi - lo) / 2
        moving = half > 0
        largest = max(np.abs(lo).max(), np.abs(hi).max())
        if not moving.any() or not largest or largest <= _RATIO * half[moving].min():
            return None
        return cls(lo, hi)

    def centred(self):
        """(offset, factor), float32 of each channel: the middle of its range goes to 0, its ends to -1 and 1."""
        offset = ((self.lo + self.hi) / 2).astype(np.float32)
        return offset, _factor(np.maximum(self.hi - offset, offset - self.lo), self.magnitude.max())

    def scaled(self):
        """The same for layers that need 0 to stay 0."""
        return np.zeros(len(self.lo), np.float32), _factor(self.magnitude, self.magnitude.max())


def _factor(half, largest):
    # No channel is stretched more than float32 weights can undo, and a constant one not at all.
    half = np.where(half > 0, np.maximum(half, largest * 2.0**-40), largest)
    return (1 / half).astype(np.float32)


class _CannotError(Exception):
    """A reader of the input that is not linear, or mixes channels."""


class _Undone:
    """New weights for the first linear layers, such that they give for z what they gave for x."""

    def __init__(self, graph, offset, factor, axis):
        self.updates = []
        self.possible = True
        value = graph.inputs[0]
        shape = tuple(value.shape.dims[1:])
        broadcast = _along(axis, len(shape) + 1)[1:]
        scale = np.broadcast_to((1 / factor.astype(np.float64)).reshape(broadcast), shape)
        shift = np.broadcast_to(offset.astype(np.float64).reshape(broadcast), shape)
        try:
            self._readers(value, scale, shift)
        except _CannotError:
            self.possible = False

    def write(self):
        for node, weight, bias in self.updates:
            set_constant(node, 1, weight, node.inputs[1].name)
            set_constant(node, 2, bias, node.inputs[2].name)

    def _readers(self, value, scale, shift):
        """Follow `value` = z * scale + shift, arrays of one sample's shape, to the linear layers that read it."""
        if value.is_graph_output():
            raise _CannotError
        for use in value.uses():
            node = use.node
            if node.op_type in ("Conv", "Gemm"):
                self._linear(node, scale, shift)
            elif node.op_type in ("Flatten", "Reshape"):
                shape = tuple(node.outputs[0].shape.dims[1:])
                self._readers(node.outputs[0], scale.reshape(shape), shift.reshape(shape))
            elif node.op_type == "Transpose":
                perm = [axis - 1 for axis in attribute(node, "perm")[1:]]
                self._readers(node.outputs[0], scale.transpose(perm), shift.transpose(perm))
            else:
                raise _CannotError

    def _linear(self, node, scale, shift):
        weight, bias = (present(constant(value)).astype(np.float64) for value in node.inputs[1:3])
        if any(len(value.uses()) > 1 for value in node.inputs[1:3]):
            raise _CannotError
        if node.op_type == "Gemm":
            weight, bias = weight * scale, bias + weight @ shift
        else:
            scale, shift = (_one_per_weight(node, weight, values) for values in (scale, shift))
            if any(attribute(node, "pads")) and shift.any():
                raise _CannotError  # zeros around the image would have to be another number in each channel
            channel = _channels_read(node, weight)
            bias = bias + (weight * shift[channel]).sum(axis=(1, 2, 3))
            weight = weight * scale[channel]
        with np.errstate(over="ignore"):
            arrays = weight.astype(np.float32), bias.astype(np.float32)
        if not all(np.isfinite(array).all() for array in arrays):
            raise _CannotError
        self.updates.append((node, *arrays))


def _along(axis, rank):
    """The shape that spreads one number per channel over a batch."""
    return tuple(-1 if other == axis else 1 for other in range(rank))


def _channels_read(node, weight):
    """(outputs, inputs of one group): the channel each kernel plane of a Conv reads."""
    outputs, inputs = weight.shape[:2]
    group = np.arange(outputs) // (outputs // attribute(node, "group"))
    return group[:, None] * inputs + np.arange(inputs)


def _one_per_weight(node, weight, values):
    """Numbers of an image's shape (C, H, W) as (C, KH, KW), or 1 for KH or KW: what each weight of a kernel meets."""
    pads, dilation = attribute(node, "pads"), attribute(node, "dilations", (1, 1))
    for axis in (1, 2):
        first = values.take([0], axis=axis)
        whole = weight.shape[axis + 1] == values.shape[axis] and dilation[axis - 1] == 1
        if (values == first).all():
            values = first
        elif not whole or pads[axis - 1] or pads[axis + 1]:
            raise _CannotError  # one weight meets several of them
    return values


def _helps(graph, x, lo, hi, offset, factor, axis):
    """Whether one scale moves the logits, and a scale per channel at most half as much."""
    x = x[evenly(len(x), _MOST_SAMPLES)]
    broadcast = _along(axis, x.ndim)[1:]
    largest = max(np.abs(lo).max(), np.abs(hi).max())
    one = largest / (255 if (lo >= 0).all() else 127)
    each = (1 / (factor.astype(np.float64) * 127)).reshape(broadcast)
    middle = offset.astype(np.float64).reshape(broadcast)
    logits = run(graph, x).astype(np.float64)
    spread = math.sqrt(((logits - logits.mean(axis=0)) ** 2).mean())
    shared, own = (
        math.sqrt(((run(graph, rounded.astype(np.float32)) - logits) ** 2).mean())
        for rounded in (np.rint(x / one) * one, np.rint((x - middle) / each) * each + middle)
    )
    return shared > _EFFECT * spread and own < shared / 2


def _prepend(graph, offset, factor, axis):
    """Sub and Mul between the input and all its readers; Sub only where a channel is moved."""
    source = graph.inputs[0]
    uses, broadcast = list(source.uses()), _along(axis, len(source.shape))[1:]
    steps = [("Sub", f"{source.name}.offset", offset.reshape(broadcast))] if offset.any() else []
    steps.append(("Mul", f"{source.name}.factor", factor.reshape(broadcast)))
    nodes = _steps(graph, source, steps)
    graph.insert_before(graph[0], nodes)
    for use in uses:
        use.node.replace_input_with(use.idx, nodes[-1].outputs[0])


def _steps(graph, value, steps):
    """Nodes of a value and a constant each, one after the other, that are in no graph yet: (operator, name, array)."""
    nodes, shape, taken = [], value.shape, value_names(graph)
    for op_type, name, array in steps:
        node = ir.node(op_type, [value, add_initializer(graph, name, array, taken)], name=name)
        value = node.outputs[0]
        value.name, value.shape, value.dtype = f"{name}.out", shape, ir.DataType.FLOAT
        nodes.append(node)
    return nodes
