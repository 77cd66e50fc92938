"""Operators that a few others spell out to the same function."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import add_initializer, attribute, constant, dims, present, replace_node
from stepforward.sources.onnx.passes.token_layers import bounds, put_node


def spelled_out(graph: ir.Graph) -> None:
    """Rewrite Softmax over another axis than the last, Max and Min of two computed tensors, reductions by minimum,
    magnitude and square, LpNormalization, and parts of a SplitToSequence."""
    for node in list(graph):
        rewrite = _REWRITES.get(node.op_type)
        if rewrite is not None:
            rewrite(node)


def _softmax(node):
    """The axis becomes the last one, and returns."""
    shape = dims(node.inputs[0], node)
    axis, last = attribute(node, "axis", -1) % len(shape), len(shape) - 1
    if axis in (0, last):
        return
    perm = list(range(len(shape)))
    perm[axis], perm[last] = last, axis
    turned = [shape[i] for i in perm]
    x = put_node(node, "Transpose", [node.inputs[0]], turned, perm=perm)
    replace_node(node, "Transpose", [put_node(node, "Softmax", [x], turned, axis=-1)], {"perm": perm})


def _larger(node):
    """max(a, b) = b + relu(a - b); min(a, b) = b - relu(b - a)."""
    if len(node.inputs) != 2 or any(constant(value) is not None for value in node.inputs):
        return
    a, b = (present(value) for value in node.inputs)
    is_max, shape = node.op_type == "Max", dims(node.outputs[0], node)
    difference = put_node(node, "Sub", [a, b] if is_max else [b, a], shape)
    more = put_node(node, "Relu", [difference], shape)
    replace_node(node, "Add" if is_max else "Sub", [b, more])


def _minimum(node):
    x = put_node(node, "Neg", [node.inputs[0]], dims(node.inputs[0], node))
    reduced = put_node(node, "ReduceMax", [x, *node.inputs[1:]], dims(node.outputs[0], node), **_values(node))
    replace_node(node, "Neg", [reduced])


def _sum_of(kind):
    def rewrite(node):
        x, shape = node.inputs[0], dims(node.outputs[0], node)
        own = {"keepdims": attribute(node, "keepdims", 1)}
        each = _each(node, x, kind)
        axes = _axes(node)
        inputs = [each] if axes is None else [each, axes]
        if kind != "ReduceL2":
            replace_node(node, "ReduceSum", inputs, own)
            return
        replace_node(node, "Sqrt", [put_node(node, "ReduceSum", inputs, shape, **own)])

    return rewrite


def _each(node, x, kind):
    shape = dims(x, node)
    return put_node(node, "Abs", [x], shape) if kind == "ReduceL1" else put_node(node, "Mul", [x, x], shape)


def _axes(node):
    """As a tensor that ReduceSum reads."""
    given = attribute(node, "axes")
    if given is not None:
        return add_initializer(present(node.graph), f"{node.outputs[0].name}.axes", np.array(given, np.int64))
    return node.inputs[1] if len(node.inputs) > 1 else None


def _lp_normalization(node):
    """x / |x|, which nothing keeps from 0 / 0 but the data, as before."""
    x, shape = present(node.inputs[0]), dims(node.inputs[0], node)
    axis, power = attribute(node, "axis", -1) % len(shape), attribute(node, "p", 2)
    if axis == 0 or power not in (1, 2):
        return
    reduced = [size if i != axis else 1 for i, size in enumerate(shape)]
    axes = add_initializer(present(node.graph), f"{node.outputs[0].name}.axes", np.array([axis], np.int64))
    each = _each(node, x, "ReduceL1" if power == 1 else "ReduceL2")
    size = put_node(node, "ReduceSum", [each, axes], reduced, keepdims=1)
    replace_node(node, "Div", [x, size if power == 1 else put_node(node, "Sqrt", [size], reduced)])


def _part(node):
    """One element of a sequence that a tensor was split into is a slice."""
    split, at = present(node.inputs[0]).producer(), constant(node.inputs[1])
    if split is None or split.op_type != "SplitToSequence" or at is None:
        return
    x, shape = present(split.inputs[0]), dims(split.inputs[0], split)
    axis, given = attribute(split, "axis", 0) % len(shape), (*split.inputs, None)[1]
    sizes = np.array(1) if given is None else constant(given)
    if sizes is None or axis == 0:
        return
    if sizes.ndim == 0:
        whole, rest = divmod(shape[axis], int(sizes))
        sizes = np.array([int(sizes)] * whole + [rest] * (rest > 0))
    number = int(at) % len(sizes)
    begin, size = int(sizes[:number].sum()), int(sizes[number])
    squeezed = given is None and not attribute(split, "keepdims", 1)
    own = bounds(node, axis, begin, begin + size)
    if not squeezed:
        replace_node(node, "Slice", [x, *own])
        return
    part = put_node(node, "Slice", [x, *own], [1 if i == axis else n for i, n in enumerate(shape)])
    replace_node(node, "Squeeze", [part, own[2]])


def _values(node):
    return {name: attribute(node, name) for name in node.attributes}


_REWRITES = {
    "Softmax": _softmax,
    "Max": _larger,
    "Min": _larger,
    "ReduceMin": _minimum,
    **{kind: _sum_of(kind) for kind in ("ReduceL1", "ReduceL2", "ReduceSumSquare")},
    "LpNormalization": _lp_normalization,
    "SequenceAt": _part,
}
