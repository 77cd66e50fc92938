"""Masks of attention: which scores a softmax reads, as one Where with constant positions right before it."""

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
    sole_consumer,
)
from stepforward.sources.onnx.passes.token_layers import put_before

FILL = np.array(-1e30, np.float32)
"""In place of a score that is not read; finite, so that a calibration tells it from a network that overflows."""

_NOTHING = -1e4
"""A score of this and less has a probability of 0 in float32."""


def masks(graph: ir.Graph) -> None:
    """Write the addition of constants of 0 and about -infinity, and Where with a constant condition, one way.

    What torch puts after a softmax for rows that read nothing, a Where on IsNaN, is dropped: there is no such row.

    Raises:
        StepforwardError: a row of a mask reads nothing, or samples have masks of their own.
    """
    for node in list(graph):
        if node.op_type == "Where":
            guard = present(node.inputs[0]).producer()
            if guard is not None and guard.op_type == "IsNaN" and guard.inputs[0] is node.inputs[2]:
                bypass(node, node.inputs[2])
    for node in list(graph):
        if node.op_type == "Softmax" and attribute(node, "axis") == len(dims(node.inputs[0], node)) - 1:
            _mask(node)


def _mask(softmax):
    value, read = softmax.inputs[0], None
    while (found := _scores(value)) is not None:
        value, more = found
        read = more if read is None else read & more
    if read is None:
        return
    shape = dims(value, softmax)
    read = read.reshape((1,) * (len(shape) - read.ndim) + read.shape)
    if len(read) > 1 and (read == read[:1]).all():
        read = read[:1]
    if len(read) > 1 or not np.broadcast_to(read, (1, *shape[1:])).any(axis=-1).all():
        raise StepforwardError(
            f"the mask of {describe(softmax)} differs from sample to sample, or has a row that reads nothing",
            "give every token something to attend to, with one mask for all samples",
        )
    name, graph = f"{softmax.outputs[0].name}.mask", present(softmax.graph)
    operands = [add_initializer(graph, name, read), value, add_initializer(graph, f"{name}.fill", FILL)]
    masked = ir.node("Where", operands, name=name)
    softmax.replace_input_with(0, put_before(softmax, masked, list(shape)))


def _scores(value):
    """(the scores, where they are read) if a mask gives a value that nothing else reads; else None."""
    node = value.producer()
    if node is None or sole_consumer(value) is None:
        return None
    if node.op_type == "Add":
        for index in (0, 1):
            array = constant(node.inputs[index])
            if array is not None and array.ndim and _hides(array, array != 0) and (array != 0).any():
                return node.inputs[1 - index], array == 0
    if node.op_type == "Where":
        condition, fills = constant(node.inputs[0]), [constant(branch) for branch in node.inputs[1:]]
        for index, fill in enumerate(fills):
            if condition is not None and fill is not None and _hides(fill, True):
                read = condition if index == 1 else ~condition
                return node.inputs[2 - index], np.broadcast_to(
                    read, np.broadcast_shapes(read.shape, fill.shape)
                )
    return None


def _hides(array, where):
    return array.dtype.kind == "f" and not (array > _NOTHING).any(where=where)
