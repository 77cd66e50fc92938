"""Selections move up: of a selection, of a Concat, of a layer's moves, into the columns of layers that read them."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    constant,
    dims,
    replace_node,
    set_constant,
)
from stepforward.sources.onnx.passes.selections import positions, select
from stepforward.sources.onnx.passes.split_layers import split_layers


def earlier_selections(graph: ir.Graph) -> None:
    """Make Gathers read what their positions come from, and dissolve them where a layer can do their work.

    A Gather of a Gather becomes one; one of whole inputs of a Concat becomes a Concat of these; one of what a layer
    gives in another shape or order selects its channels. A layer that is only read in parts is divided
    (`split_layers`). An order of all channels that only Conv and Gemm read goes into the
    columns of their weights.
    """
    while _past_joins(graph) | _past_moves(graph) | split_layers(graph):
        pass
    for node in list(graph):
        if node.op_type == "Gather":
            _into_columns(node)


def _past_joins(graph):
    changed = False
    for node in reversed(list(graph)):
        if node.op_type != "Gather":
            continue
        source, axis = node.inputs[0].producer(), attribute(node, "axis")
        if source is None or attribute(source, "axis") != axis:
            continue
        if source.op_type == "Gather":
            where = positions(source)[positions(node)]
            bypass(node, select(node, source.inputs[0], axis, where))
            changed = True
        elif source.op_type == "Concat":
            changed |= _past_concat(node, source, axis)
    _remove_unread(graph)
    return changed


def _past_moves(graph):
    """Gathers that read moves of a layer's result, as each of q, k and v does."""
    changed = False
    for node in reversed(list(graph)):
        move = node.inputs[0].producer() if node.op_type == "Gather" else None
        if move is None or move.op_type not in ("Reshape", "Transpose") or not _of_layer(move):
            continue
        axis, source = attribute(node, "axis"), move.inputs[0]
        shape = list(dims(node.outputs[0], node))
        if move.op_type == "Transpose":
            perm = attribute(move, "perm")
            value = select(node, source, perm[axis], positions(node))
            made = replace_node(node, "Transpose", [value], {"perm": perm})
        else:
            found = _before_reshape(dims(source, move), dims(node.inputs[0], node), axis, positions(node))
            if found is None:
                continue
            value = select(node, source, *found)
            target = add_initializer(
                graph, f"{node.outputs[0].name}.shape", np.array([0, *shape[1:]], np.int64)
            )
            made = replace_node(node, "Reshape", [value, target])
        made.outputs[0].shape = ir.Shape(shape)
        changed = True
    _remove_unread(graph)
    return changed


def _of_layer(move):
    """Whether a layer's result is moved, and Gathers alone read it, now or on the way."""
    reader: ir.Node | None = None
    while move is not None and move.op_type in ("Reshape", "Transpose"):
        if not _read_by_gathers(move.outputs[0], reader):
            return False
        reader, move = move, move.inputs[0].producer()
    return move is not None and move.op_type in ("Conv", "Gemm") and _read_by_gathers(move.outputs[0], reader)


def _read_by_gathers(value, besides):
    others = [use.node for use in value.uses() if use.node is not besides]
    return not value.is_graph_output() and all(node.op_type == "Gather" for node in others)


def _before_reshape(source, shape, axis, where):
    """(axis, positions) before a Reshape of a selection after it, if the axis is all or part of one; else None."""
    for old, size in enumerate(source):
        before = math.prod(source[:old])
        first = next((i for i in range(1, axis + 1) if math.prod(shape[:i]) == before), None)
        outer, inner = (math.prod(shape[first:axis]), 1) if first is not None else (0, 0)
        for last in range(axis + 1, len(shape) + 1):
            inner = math.prod(shape[axis + 1 : last])
            if old and first is not None and outer * shape[axis] * inner == size:
                grid = np.arange(size).reshape(outer, shape[axis], inner)
                return old, grid[:, where].reshape(-1)
    return None


def _past_concat(node, concat, axis):
    sizes = [dims(value, concat)[axis] for value in concat.inputs]
    starts = np.cumsum([0, *sizes])
    where = positions(node)
    owner = np.searchsorted(starts, where, side="right") - 1
    breaks = np.flatnonzero(np.diff(owner)) + 1
    runs = list(zip(np.split(owner, breaks), np.split(where, breaks), strict=True))
    if len(runs) > len(sizes):
        return False
    local = [(concat.inputs[own[0]], taken - starts[own[0]]) for own, taken in runs]
    whole = [
        len(taken) == dims(value, concat)[axis] and (np.diff(taken) == 1).all() for value, taken in local
    ]
    if whole.count(False) > 1:  # each would cost what this one costs
        return False
    values = [select(node, value, axis, taken) for value, taken in local]
    if len(values) == 1:
        bypass(node, values[0])
    else:
        replace_node(node, "Concat", values, {"axis": axis})
    return True


def _remove_unread(graph):
    for node in reversed(list(graph)):
        if node.op_type in ("Gather", "Concat", "Reshape", "Transpose") and not (
            node.outputs[0].uses() or node.outputs[0].is_graph_output()
        ):
            graph.remove(node, safe=True)


def _into_columns(node):
    where, result = positions(node), node.outputs[0]
    readers = [use.node for use in result.uses()]
    is_order = np.array_equal(np.sort(where), np.arange(dims(node.inputs[0], node)[1]))
    if attribute(node, "axis") != 1 or not is_order or result.is_graph_output():
        return
    if not all(_mixes_all(reader, len(where)) and reader.inputs[0] is result for reader in readers):
        return
    for reader in readers:
        weight = constant(reader.inputs[1])
        ordered = np.empty_like(weight)
        ordered[:, where] = weight
        set_constant(reader, 1, ordered, reader.inputs[1].name)
    bypass(node, node.inputs[0])


def _mixes_all(node, channels):
    """Whether this is a layer of which every output reads every channel."""
    if node.op_type not in ("Conv", "Gemm") or attribute(node, "group", 1) != 1:
        return False
    weight = constant(node.inputs[1])
    return weight is not None and weight.shape[1] == channels
