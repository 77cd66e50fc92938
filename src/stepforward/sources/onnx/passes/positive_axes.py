"""Axes counted from the front: the passes after this one meet no negative axis and no default."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, constant, describe, dims, set_attributes, set_constant

_AXIS = {"Concat": None, "Flatten": 1, "Gather": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0}
"""Operators with an attribute `axis`, and its default."""

_AXES = {"Pad": 3, "ReduceMax": 1, "ReduceMean": 1, "ReduceSum": 1, "Slice": 3}
"""Operators with several axes, and which input holds them; an attribute `axes` in opsets before 18."""


def positive_axes(graph: ir.Graph) -> None:
    """Write axis, axes and perm of every operator that has them, from 0 to rank - 1.

    Raises:
        StepforwardError: an axis that the tensor does not have.
    """
    for node in graph:
        if node.op_type in _AXIS:
            rank = len(dims(node.inputs[0], node))
            axis = attribute(node, "axis", _AXIS[node.op_type])
            last = rank if node.op_type == "Flatten" else rank - 1
            set_attributes(node, axis=axis if axis == last else _positive(node, axis, rank))
        elif node.op_type in _AXES:
            _rewrite_axes(node, _AXES[node.op_type])
        elif node.op_type == "Transpose":
            rank = len(dims(node.inputs[0], node))
            perm = list(attribute(node, "perm", range(rank)[::-1]))
            if sorted(perm) != list(range(rank)):
                raise StepforwardError(
                    f"{describe(node)} orders {rank} axes by {perm}",
                    "check that the model runs in ONNX Runtime on one sample, then export it again",
                )
            set_attributes(node, perm=perm)


def _rewrite_axes(node, position):
    rank = len(dims(node.inputs[0], node))
    if "axes" in node.attributes:
        set_attributes(node, axes=[_positive(node, axis, rank) for axis in attribute(node, "axes")])
    value = node.inputs[position] if len(node.inputs) > position else None
    axes = constant(value)
    if axes is not None and (axes < 0).any():
        axes = np.array([_positive(node, int(axis), rank) for axis in axes.reshape(-1)], np.int64)
        set_constant(node, position, axes, f"{node.outputs[0].name}.axes")


def _positive(node, axis, rank):
    if axis is None or not -rank <= axis < rank:
        raise StepforwardError(
            f"{describe(node)} works along axis {axis} of a tensor with {rank} axes",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    return axis % rank
