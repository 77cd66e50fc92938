"""Which axis of the network's input counts channels: the first of a sample, or the last, as in Keras and TensorFlow."""

from collections.abc import Iterator

import onnx_ir as ir

from stepforward.graph.nodes import attribute, sample_inputs

_TO_FRONT = (0, 3, 1, 2)
_LINE_TO_FRONT = (0, 2, 1)
_PASSED = ("QuantizeLinear", "DequantizeLinear", "Sub", "Mul")


def channels_last(graph: ir.Graph) -> bool:
    """Whether the network begins by bringing the last axis of its input, (N, H, W, C), to the front."""
    source = next(iter(sample_inputs(graph)), None)
    if source is None:
        return False
    shape, readers = source.shape, list(_readers(source))
    if shape is None or len(shape) != 4 or not readers:
        return False
    return all(_brings_to_front(node, tuple(shape)[1:]) for node in readers)


def channel_axis(graph: ir.Graph) -> int:
    """The axis of a batch that counts channels, or the features of a vector: 2 where samples are (T, C)."""
    if channels_last(graph):
        return 3
    source = graph.inputs[0]
    if source.shape is None or len(source.shape) != 3:
        return 1
    turned = [_line_to_front(node, tuple(source.shape)[1:]) for node in _readers(source)]
    return 2 if turned and all(turned) else 1


def _readers(value: ir.Value) -> Iterator[ir.Node]:
    """What reads the input after the steps that only change its scale or its format."""
    for use in value.uses():
        if use.node.op_type in _PASSED:
            yield from _readers(use.node.outputs[0])
        else:
            yield use.node


def _line_to_front(node: ir.Node, sample: tuple) -> bool:
    """Whether a node brings the last axis of (N, T, C) to the front, or makes an image for one that does."""
    if node.op_type != "Reshape":
        return tuple(attribute(node, "perm", ())) == _LINE_TO_FRONT
    result = node.outputs[0].shape
    readers = [use.node for use in node.outputs[0].uses()]
    to_front = [tuple(attribute(reader, "perm", ())) == _TO_FRONT for reader in readers]
    return result is not None and tuple(result)[1:] == (1, *sample) and bool(to_front) and all(to_front)


def _brings_to_front(node: ir.Node, sample: tuple) -> bool:
    if node.op_type == "Transpose":
        return tuple(attribute(node, "perm", ())) == _TO_FRONT
    result = node.outputs[0].shape  # of a single channel the axes are only counted again
    if node.op_type != "Reshape" or result is None or sample[2] != 1:
        return False
    return tuple(result)[1:] == (1, *sample[:2]) != sample
