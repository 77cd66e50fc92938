"""Selections that nothing else can do: max pools that see one value each.

An axis of b blocks, as the height of an image (a, b, c), is pooled with a window of two that are i + 1 apart and start
one before the image: of padding and block i, block i is the largest. The stride is b, so it is the only one. Numbers
move, none is computed, and integers stay what they are.
"""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, attribute, bypass, describe, dims, replace_node
from stepforward.sources.onnx.passes.selections import positions

_MOST_RUNS = 32
"""Runs of neighbours, or of every s-th, that one selection may consist of: each is a pool of its own."""

_MOST_BLOCKS = 2**16
"""The core's largest stride and dilation of a pool."""


def picks(graph: ir.Graph) -> None:
    """Write every Gather along one axis as Reshape, Pad and MaxPool, and a Concat where it takes several runs.

    Raises:
        StepforwardError: the positions are without order: more runs than can be joined.
    """
    for node in list(graph):
        if node.op_type == "Gather":
            _pick(node)


def _pick(node):
    source, axis, shape = node.inputs[0], attribute(node, "axis"), dims(node.inputs[0], node)
    before, length, after = math.prod(shape[1:axis]), shape[axis], math.prod(shape[axis + 1 :])
    found = _runs(positions(node))
    if len(found) > _MOST_RUNS:
        raise StepforwardError(
            f"{describe(node)} selects {len(positions(node))} positions along axis {axis} in {len(found)} runs of "
            f"neighbours; up to {_MOST_RUNS} are supported",
            "put the order into the weights of the layer before or after it, or select neighbours or every n-th",
        )
    image = [shape[0], before, length, after]
    values = [_run(node, _reshape(node, source, image), run) for run in found]
    value = values[0]
    if len(values) > 1:
        joined = [shape[0], before, len(positions(node)), after]
        value = _insert(node, ir.node("Concat", values, {"axis": 2}), joined)
    result = list(dims(node.outputs[0], node))
    if list(value.shape.dims) == result:
        bypass(node, value)
    else:
        replace_node(node, "Reshape", [value, _numbers(node, "shape", [0, *result[1:]])])


def _runs(where):
    """(start, step, count) of runs of equal steps, all positive, that make up the positions."""
    found, where = [], where.tolist()
    while where:
        step = where[1] - where[0] if len(where) > 1 else 1
        count = 1
        while step > 0 and count < len(where) and where[count] - where[count - 1] == step:
            count += 1
        if count == 1:
            step = 1
        found.append((where[0], step, count))
        where = where[count:]
    return found


def _run(node, value, run):
    """One run along axis 2 of an image."""
    start, step, count = run
    _, before, length, after = value.shape.dims
    if step > 1 and count * step == length:  # one of every `step`, all along
        value = _block(node, value, before * count, step, after, start)
        return _reshape(node, value, [value.shape[0], before, count, after])
    size = min(count * step, length - start)
    value = _whole_blocks(node, value, start, size)
    blocks = value.shape[2] // size
    value = _block(node, value, before, blocks, size * after, -(-start // size))
    value = _reshape(node, value, [value.shape[0], before, size, after])
    if step == 1:
        return value
    pool = ir.node("MaxPool", [value], {"kernel_shape": [1, 1], "strides": [step, 1]})
    return _insert(node, pool, [value.shape[0], before, count, after])


def _whole_blocks(node, value, start, size):
    """The image padded until blocks of `size` fit, one of which begins at `start`."""
    batch, before, length, after = value.shape.dims
    front = -start % size
    back = -(front + length) % size
    if not front and not back:
        return value
    pads = _numbers(node, "pads", [0, 0, front, 0, 0, 0, back, 0])
    fill = add_initializer(node.graph, f"{node.outputs[0].name}.value", np.array(0, np.float32))
    pad = ir.node("Pad", [value, pads, fill], {"mode": "constant"})
    return _insert(node, pad, [batch, before, front + length + back, after])


def _block(node, value, before, blocks, after, index):
    """Block `index` of an image seen as (before, blocks, after)."""
    value = _reshape(node, value, [value.shape[0], before, blocks, after])
    if blocks == 1:
        return value
    if blocks > _MOST_BLOCKS:
        raise StepforwardError(
            f"{describe(node)} selects one of {blocks:,} parts of a tensor; up to {_MOST_BLOCKS:,} are supported",
            "cut the data in the preprocessing",
        )
    window = {"kernel_shape": [1, 1], "strides": [blocks, 1]}
    if index:
        window |= {"kernel_shape": [2, 1], "dilations": [index + 1, 1], "pads": [1, 0, 0, 0]}
    return _insert(node, ir.node("MaxPool", [value], window), [value.shape[0], before, 1, after])


def _reshape(node, value, shape):
    """The value in another shape; one that it is already read in serves again."""
    if list(value.shape.dims) == shape:
        return value
    for reader in (use.node for use in value.uses()):
        if reader.op_type == "Reshape" and list(reader.outputs[0].shape.dims) == shape:
            return reader.outputs[0]
    return _insert(node, ir.node("Reshape", [value, _numbers(node, "shape", [0, *shape[1:]])]), shape)


def _numbers(node, role, numbers):
    return add_initializer(node.graph, f"{node.outputs[0].name}.{role}", np.array(numbers, np.int64))


def _insert(node, made, shape):
    made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(shape), ir.DataType.FLOAT
    node.graph.insert_before(node, made)
    return made.outputs[0]
