"""Split, Slice, Gather and their like with constant positions: one Gather along one axis for each, from the front."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    constant,
    copy_dtype,
    describe,
    dims,
    give_result,
    present,
    set_constant,
)

_REPEATING = ("reflect", "edge", "wrap")
"""Modes of a Pad that reads positions again, as numpy calls them too."""

_MOST_POSITIONS = 2**24
"""Along one axis of one sample: more is a mistake or an attack."""


def selections(graph: ir.Graph) -> None:
    """Write all selections as Gathers that read a list of positions (k,) along an axis other than the batch.

    Selections are Split, Slice, Gather, GatherND along one axis, Expand and Tile (which repeat positions), a Pad that
    mirrors or repeats the border, and negative amounts of any. A selection of everything in its order is dropped.
    The axes are positive and shapes are inferred.

    Raises:
        StepforwardError: computed positions, positions that the tensor does not have, none at all, or a selection of
            samples.
    """
    for node in list(graph):
        if node.op_type == "Pad" and not _repeat_border(node):
            _cut_border(node)
        read = _READERS.get(node.op_type)
        if read is not None:
            for result, value in zip(node.outputs, read(node), strict=True):
                if value is not None:
                    give_result(result, value)
            graph.remove(node, safe=True)


def positions(node: ir.Node) -> np.ndarray:
    """The positions (k,) that a Gather written by this pass reads."""
    return present(constant(node.inputs[1]))


def select(node: ir.Node, value: ir.Value, axis: int, where: np.ndarray) -> ir.Value:
    """A Gather of these positions, put before `node`; `value` itself where they are all, in order."""
    shape = list(present(value.shape).dims)
    if len(where) == shape[axis] and np.array_equal(where, np.arange(len(where))):
        return value
    name, graph = node.name or node.outputs[0].name, present(node.graph)
    taken = add_initializer(graph, f"{name}.positions", np.asarray(where, np.int64))
    made = ir.node("Gather", [value, taken], {"axis": axis}, name=name)
    shape[axis] = len(where)
    made.outputs[0].shape = ir.Shape(shape)
    copy_dtype(made.outputs[0], value)
    graph.insert_before(node, made)
    return made.outputs[0]


def _split(node):
    source, axis = node.inputs[0], attribute(node, "axis")
    length, count = _length(node, axis), len(node.outputs)
    sizes = constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "split")
    if sizes is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        raise _computed(node)
    if sizes is None:
        size = -(-length // (attribute(node, "num_outputs") or count))
        sizes = [min(size, length - start) for start in range(0, length, size)]
    sizes = [int(size) for size in np.reshape(sizes, -1)]
    if len(sizes) != count or sum(sizes) != length or min(sizes) < 1:
        raise StepforwardError(
            f"{describe(node)} splits {length} into parts of {sizes[:16]} and has {count} outputs",
            "give sizes of at least 1 that add up to the size of the axis, one for each output",
        )
    ends = np.cumsum(sizes)
    used = [bool(result.uses()) or result.is_graph_output() for result in node.outputs]
    return [
        select(node, source, axis, np.arange(end - size, end)) if is_used else None
        for size, end, is_used in zip(sizes, ends, used, strict=True)
    ]


def slice_operands(node: ir.Node) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """The starts, ends, axes and steps of a Slice, also those that it leaves out; None where one is computed."""
    arrays = [constant(value) if value is not None else None for value in node.inputs[1:]]
    if any(array is None for array, value in zip(arrays, node.inputs[1:], strict=True) if value is not None):
        return None
    starts, ends, axes, steps = (*arrays, None, None, None, None)[:4]
    if starts is None or ends is None:
        return None
    axes = np.arange(starts.size) if axes is None else axes
    return starts, ends, axes, np.ones(starts.size, np.int64) if steps is None else steps


def _slice(node):
    operands = slice_operands(node)
    if operands is None:
        raise _computed(node)
    starts, ends, axes, steps = operands
    if len({array.size for array in (starts, ends, axes, steps)}) > 1 or not steps.all():
        raise StepforwardError(
            f"{describe(node)} has starts, ends, axes and steps that do not fit each other",
            "give one start, end, axis and step (not 0) for each axis that is cut",
        )
    value = node.inputs[0]
    for start, end, axis, step in zip(
        *(array.reshape(-1).tolist() for array in (starts, ends, axes, steps)), strict=True
    ):
        where = range(value.shape[axis])[slice(start, end, step)]
        if axis == 0 and len(where) == value.shape[0] and step == 1:
            continue
        _length(node, axis)
        _some(node, len(where))
        value = select(node, value, axis, np.array(where))
    return [value]


def _gather(node):
    axis, where = attribute(node, "axis"), constant(node.inputs[1])
    _length(node, axis)
    shape = dims(node.inputs[0], node)
    if where is None:
        raise StepforwardError(
            f"{describe(node)} looks up positions that the network computes",
            "a look-up by computed numbers (an embedding) is not supported: feed the network floats",
        )
    value = _taken(node, node.inputs[0], axis, where)
    if where.ndim == 1:
        return [value]
    target = np.array([0, *shape[1:axis], *where.shape, *shape[axis + 1 :]], np.int64)
    reshape = ir.node(
        "Reshape", [value, add_initializer(node.graph, f"{node.outputs[0].name}.shape", target)]
    )
    reshape.outputs[0].shape, reshape.outputs[0].dtype = (
        ir.Shape([shape[0], *target[1:].tolist()]),
        value.dtype,
    )
    node.graph.insert_before(node, reshape)
    return [reshape.outputs[0]]


def _taken(node, value, axis, where):
    """A Gather of positions as a file gives them: in any shape, negative ones from the end."""
    _some(node, where.size)
    flat, length = where.reshape(-1).astype(np.int64), value.shape[axis]
    if (flat < -length).any() or (flat >= length).any():
        raise StepforwardError(
            f"{describe(node)} reads positions {flat.min()} to {flat.max()} of an axis of {length}",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    return select(node, value, axis, flat % length)


def _gather_nd(node):
    raise StepforwardError(
        f"{describe(node)} looks up single numbers",
        "select along one axis: x[:, [2, 1, 0]], a slice, or torch.index_select",
    )


def _expand(node):
    """Axes of one position that are stretched."""
    shape, result = dims(node.inputs[0], node), dims(node.outputs[0], node)
    if len(shape) != len(result) or shape[0] != result[0]:
        raise StepforwardError(
            f"{describe(node)} repeats a tensor of shape {shape} as {result}",
            "repeat channels, rows or columns; the batch stays",
        )
    return [_repeated(node, [np.zeros(size, np.int64) for size in result])]


def _tile(node):
    shape, repeats = dims(node.inputs[0], node), constant(node.inputs[1])
    if repeats is None or repeats.shape != (len(shape),) or repeats[0] != 1 or repeats.min() < 1:
        raise StepforwardError(
            f"{describe(node)} repeats a tensor of shape {shape}, the batch too or as often as the network computes",
            "repeat channels, rows or columns; the batch stays",
        )
    sizes = [size * int(times) for size, times in zip(shape, repeats, strict=True)]
    for size in sizes[1:]:
        _some(node, size)
    return [_repeated(node, [np.arange(size) % old for size, old in zip(sizes, shape, strict=True)])]


def _repeated(node, wheres):
    value = node.inputs[0]
    for axis, where in enumerate(wheres):
        if axis and len(where) != value.shape[axis]:
            _some(node, len(where))
            value = select(node, value, axis, where)
    return value


def _amounts(node):
    """The axes that a Pad changes, and how much it adds at the beginning and end of each; () if that is computed."""
    amounts = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else None
    axes = np.arange(len(dims(node.inputs[0], node))) if axes is None else axes
    if amounts is None or amounts.shape != (2 * len(axes),):
        return ()
    found = zip(axes.tolist(), *np.split(amounts, 2), strict=True)
    return tuple((axis, int(begin), int(end)) for axis, begin, end in found)


def _repeat_border(node):
    """A Pad that mirrors what lies inside the border, or repeats it, reads these positions again. Returns whether the
    node is one, and is gone."""
    mode, changes = attribute(node, "mode", "constant"), _amounts(node)
    if mode not in _REPEATING or any(min(begin, end) < 0 for _, begin, end in changes) or not changes:
        return False
    value = node.inputs[0]
    for axis, begin, end in changes:
        if not (begin or end):
            continue
        length = _length(node, axis)
        if mode != "edge" and max(begin, end) > length - (mode == "reflect"):
            raise StepforwardError(
                f"{describe(node)} mirrors or repeats {max(begin, end)} of {length} positions",
                "pad by less than there is to repeat",
            )
        _some(node, begin + length + end)
        value = select(node, value, axis, np.pad(np.arange(length), (begin, end), mode))
    bypass(node, value)
    return True


def _cut_border(node):
    """Cut off what a Pad takes away, so that it only adds."""
    changes = _amounts(node)
    if not any(min(begin, end) < 0 for _, begin, end in changes):
        return
    value = node.inputs[0]
    for axis, begin, end in changes:
        begin, end = min(begin, 0), min(end, 0)
        if begin or end:
            length = _length(node, axis)
            _some(node, max(0, length + begin + end))
            value = select(node, value, axis, np.arange(-begin, length + end))
    amounts = present(constant(node.inputs[1]))
    if amounts.max() <= 0:
        bypass(node, value)
        return
    node.replace_input_with(0, value)
    set_constant(node, 1, np.maximum(amounts, 0), f"{node.outputs[0].name}.pads")


_READERS = {
    "Expand": _expand,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Slice": _slice,
    "Split": _split,
    "Tile": _tile,
}


def _length(node, axis):
    shape = dims(node.inputs[0], node)
    if axis == 0:
        raise StepforwardError(
            f"{describe(node)} selects among the samples of a batch",
            "keep the batch whole: select channels, rows or columns",
        )
    if shape[axis] > _MOST_POSITIONS:
        raise StepforwardError(
            f"{describe(node)} selects along an axis of {shape[axis]:,}",
            f"axes of up to {_MOST_POSITIONS:,} can be cut; cut the data in the preprocessing",
        )
    return shape[axis]


def _some(node, count):
    if not 1 <= count <= _MOST_POSITIONS:
        raise StepforwardError(
            f"{describe(node)} selects {count:,} positions",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )


def _computed(node):
    return StepforwardError(
        f"{describe(node)} cuts where the network's own numbers say",
        "use sizes that are fixed when the model is exported",
    )
