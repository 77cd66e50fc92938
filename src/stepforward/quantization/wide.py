"""Which activations take 16 bits: what a network adds up over its blocks and a layer norm reads, probabilities, and
what the user asks for.

Measured on transformers: these two alone bring the logits from 16 to 32 dB above the noise of 8 bits, and all others
together 2 dB more. Depthwise convolutions, tables, pools and the layer of the logits read 8 bits, so nothing that one
of these reads is wide.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, constant, describe, is_logits, present
from stepforward.graph.pointwise import Functions
from stepforward.graph.recurrent import is_recurrent
from stepforward.quantization.formats import AUTO
from stepforward.quantization.fusion import FORMAT_OF_INPUT, first_value, fused_clip, storing_nodes

_MOVES = ("Pad", "Reshape", "Flatten", "Transpose")
_WRITERS = ("Add", "Conv", "Gemm", "LayerNormalization", "MatMul")
_READS = {"Add": 2, "LayerNormalization": 1, "MatMul": 1, "Conv": 1, "Gemm": 1}
"""Operators that read 16 bits, and how many of their operands, the first ones, may have them."""

_MOST_PRODUCTS = 1 << 15
"""Of numbers of 16 bits, in one sum."""


def wide_values(graph: ir.Graph, asked: Sequence[str] = ()) -> set[str]:
    """Names of the values of a canonical graph that are stored in 16 bits.

    Args:
        asked: names of values or of their nodes, or shell-style patterns, of which those count that can be wide.

    Raises:
        StepforwardError: nothing has such a name, or what has it is read in 8 bits, by the name of the reader.
    """
    found: set[str] = set()
    functions = Functions(graph)
    for node in reversed(list(graph)):
        value = node.outputs[0]
        uses = list(_uses(value))
        if is_logits(value) or node in functions.last or None in uses or not uses:
            continue
        if node.op_type == "Softmax":
            wide = all(use.node.op_type == "MatMul" and use.idx == 0 for use in uses if use is not None)
        else:
            wide = node.op_type in _WRITERS and _summed(uses, found)
        if wide:
            found.add(present(value.name))
    return found | _asked(graph, asked)


def gate_values(graph: ir.Graph) -> dict[str, ir.Node]:
    """The values that gates of recurrent nodes are computed from, with what moves them: name -> node."""
    found: dict[str, ir.Node] = {}
    for node in graph:
        value = node.inputs[0] if is_recurrent(node) else None
        while value is not None:
            found[present(value.name)] = node
            producer = value.producer()
            value = producer.inputs[0] if producer is not None and producer.op_type in _MOVES else None
    return found


def why_narrow(node: ir.Node) -> str | None:
    """Why the result of a node that stores one cannot have 16 bits; None where it can."""
    if node.op_type in FORMAT_OF_INPUT:
        return f"{describe(node)} moves integers as they are"
    return why_read_narrow(node.outputs[0])


def why_read_narrow(value: ir.Value) -> str | None:
    """Why what reads a value, also after moves, needs 8 bits; None where it reads 16."""
    for use in _uses(value):
        if use is None:
            continue
        reader = use.node
        if use.idx >= _READS.get(reader.op_type, 0):
            return f"{describe(reader)} reads 8 bits"
        if reader.op_type in ("Conv", "Gemm") and (why := _why_not_words(reader)) is not None:
            return f"{describe(reader)} reads 8 bits: {why}"
        if (
            reader.op_type == "Add"
            and len({tuple(present(operand.shape))[1:] for operand in reader.inputs}) > 1
        ):
            return f"{describe(reader)} adds tensors of two shapes, and then reads 8 bits"
    return None


def _why_not_words(layer: ir.Node) -> str | None:
    weight = present(constant(layer.inputs[1]))
    if layer.op_type == "Conv" and weight.shape[1] == 1 and attribute(layer, "group") > 1:
        return "it is depthwise"
    clip = fused_clip(layer)
    if is_logits((layer if clip is None else clip).outputs[0]):
        return "it computes the logits, and moves by its exact gradient"
    if weight[0].size > _MOST_PRODUCTS:
        return f"its sums have more than {_MOST_PRODUCTS} products"
    return None


def _asked(graph: ir.Graph, patterns: Sequence[str]) -> set[str]:
    found: set[str] = set()
    patterns = [pattern for pattern in patterns if pattern != AUTO]
    source = first_value(graph)
    candidates = [((source.name, graph.inputs[0].name), source, why_read_narrow(source))] if patterns else []
    for node in storing_nodes(graph) if patterns else []:
        value = node.outputs[0]
        candidates.append(((value.name, node.name), value, why_narrow(node)))
    for pattern in patterns:
        matched = [
            (value, why)
            for names, value, why in candidates
            if any(fnmatchcase(str(name), pattern) for name in names)
        ]
        reasons = [why for _, why in matched]
        able = {present(value.name) for value, why in matched if why is None}
        exact = not set("*?[") & set(pattern)
        if not matched:
            raise StepforwardError(
                f"--wide {pattern!r} matches no activation of the network",
                "inspect MODEL --data DATA --sensitivity lists their names",
            )
        why = next((why for why in reasons if why is not None), None)
        if why is not None and (exact or not able):
            raise StepforwardError(
                f"--wide {pattern!r} cannot have 16 bits: {why}",
                "leave it out; convolutions, fully connected layers, sums, layer norms and the first operand of a "
                "MatMul read 16 bits, and so may a caller",
            )
        found |= able
    return found


def _summed(uses, found):
    """Whether layer norms and sums of the same kind alone read it, and at least one layer norm."""
    kinds = {use.node.op_type for use in uses}
    return "LayerNormalization" in kinds and all(
        use.node.op_type == "LayerNormalization"
        or (use.node.op_type == "Add" and _is_wide_sum(use.node, found))
        for use in uses
    )


def _is_wide_sum(node, found):
    shapes = {tuple(present(value.shape)) for value in node.inputs}
    return present(node.outputs[0].name) in found and len(shapes) == 1


def _uses(value: ir.Value) -> Iterator[Any]:
    """What reads a value, also after moves; None for the logits."""
    if is_logits(value):
        yield None
    for use in value.uses():
        if use.node.op_type in _MOVES:
            yield from _uses(use.node.outputs[0])
        else:
            yield use
