"""Heads of attention as exporters write them: scores divided by a number."""

import onnx_ir as ir

from stepforward.graph.nodes import (
    add_initializer,
    bypass,
    constant,
    present,
    sole_consumer,
)
from stepforward.sources.onnx.passes.token_layers import put_before

_MOVES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")


def scalars_to_layers(graph: ir.Graph) -> None:
    """Multiply or divide by one number right after the layer, before the moves and the product that lie between: then
    it becomes part of the layer's weights."""
    for node in list(graph):
        if node.op_type not in ("Mul", "Div"):
            continue
        index = next((i for i in (1, 0) if _is_number(node.inputs[i])), None)
        if index is None or (index == 0 and node.op_type == "Div"):
            continue
        value, reader = present(node.inputs[1 - index]), node
        while sole_consumer(value) is reader and (producer := value.producer()) is not None:
            if producer.op_type in ("Conv", "Gemm"):
                if reader is not node:
                    _insert(node, index, value, reader)
                break
            if producer.op_type not in (*_MOVES, "MatMul", "Gather"):
                break
            value, reader = present(producer.inputs[0]), producer


def _is_number(value):
    array = constant(value)
    return array is not None and array.size == 1


def _insert(node, index, value, reader):
    number = add_initializer(
        node.graph, f"{node.outputs[0].name}.factor", present(constant(node.inputs[index])).reshape(())
    )
    made = ir.node(node.op_type, [value, number], name=node.name)
    reader.replace_input_with(0, put_before(reader, made, list(value.shape.dims)))
    bypass(node, node.inputs[1 - index])
