"""Attention as one node, of opset 23, written as the products and the softmax that it is."""

import math

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    present,
    replace_node,
)
from stepforward.sources.onnx.passes.token_layers import put_node, reshaped


def attention(graph: ir.Graph) -> None:
    """Rewrite every Attention of three or four axes, with a constant mask or none.

    Raises:
        StepforwardError: a past, caps on the scores, a computed mask, or fewer keys' heads than queries', by name.
    """
    for node in list(graph):
        if node.op_type == "Attention":
            _rewrite(node)


def _rewrite(node):
    query, key, value, mask, *past = [*node.inputs, *(None,) * 6][:6]
    for what, refused in (
        ("carries keys and values from call to call", any(part is not None for part in past)),
        ("gives more than its result", any(result.uses() for result in node.outputs[1:])),
        ("caps its scores", bool(attribute(node, "softcap", 0.0))),
        ("reads a mask that the network computes", mask is not None and constant(mask) is None),
    ):
        if refused:
            raise StepforwardError(
                f"{describe(node)} {what}",
                "only attention of whole samples is supported: softmax(q k^T * scale + constant mask) v",
            )
    flat = len(dims(query, node)) == 3
    names = ("q_num_heads", "kv_num_heads", "kv_num_heads")
    heads = [
        _heads(node, part, attribute(node, name, 1)) if flat else part
        for part, name in zip((query, key, value), names, strict=True)
    ]
    (batch, count, rows, size), (_, others, columns, _), (*_, width) = (dims(part, node) for part in heads)
    if count != others:
        raise StepforwardError(
            f"{describe(node)} has {count} heads of queries and {others} of keys",
            "only as many heads of keys and values as of queries are supported: repeat them in the weights",
        )
    scale = attribute(node, "scale") or 1 / math.sqrt(size)
    turned = put_node(node, "Transpose", [heads[1]], [batch, count, size, columns], perm=[0, 1, 3, 2])
    scores = [batch, count, rows, columns]
    name = node.outputs[0].name
    factor = add_initializer(node.graph, f"{name}.scale", np.array(scale, np.float32))
    found = put_node(node, "MatMul", [heads[0], turned], scores)
    found = put_node(node, "Mul", [found, factor], scores)
    added = _mask(node, mask, rows, columns)
    if added is not None:
        found = put_node(node, "Add", [found, add_initializer(node.graph, f"{name}.mask", added)], scores)
    found = put_node(node, "Softmax", [found], scores, axis=-1)
    if not flat:
        replace_node(node, "MatMul", [found, heads[2]])
        return
    found = put_node(node, "MatMul", [found, heads[2]], [batch, count, rows, width])
    found = put_node(node, "Transpose", [found], [batch, rows, count, width], perm=[0, 2, 1, 3])
    shape = add_initializer(node.graph, f"{name}.shape", np.array([0, rows, count * width], np.int64))
    replace_node(node, "Reshape", [found, shape])


def _heads(node, value, count):
    """(N, T, heads * size) as (N, heads, T, size)."""
    batch, time, width = dims(value, node)
    if count < 1 or width % count:
        raise StepforwardError(
            f"{describe(node)} splits {width} channels into {count} heads",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    parts = reshaped(node, present(value), [batch, time, count, width // count])
    return put_node(node, "Transpose", [parts], [batch, count, time, width // count], perm=[0, 2, 1, 3])


def _mask(node, mask, rows, columns):
    """What is added to the scores, float32, or None."""
    added = np.zeros((1, 1, rows, columns), np.float32)
    if attribute(node, "is_causal", 0):
        added = np.where(np.tri(rows, columns, dtype=bool), added, np.float32(-np.inf))
    if mask is not None:
        given = present(constant(mask))
        added = added + (
            np.where(given, np.float32(0), np.float32(-np.inf)) if given.dtype == bool else given
        )
    return added.astype(np.float32) if added.any() else None
