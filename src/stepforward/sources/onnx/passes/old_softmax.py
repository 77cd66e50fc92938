"""Softmax of opsets before 13 over the last axis: a converter flattens its input first and restores the shape after."""

import onnx_ir as ir

from stepforward.graph.nodes import attribute, dims, give_result, present, set_attributes, sole_consumer


def old_softmax(graph: ir.Graph) -> None:
    """Let a Softmax between a Flatten that keeps the last axis and a Reshape back read what the Flatten reads."""
    for node in list(graph):
        if node.op_type not in ("Softmax", "LogSoftmax"):
            continue
        flat, back = present(node.inputs[0]).producer(), sole_consumer(node.outputs[0])
        if flat is None or back is None or (flat.op_type, back.op_type) != ("Flatten", "Reshape"):
            continue
        source, result = present(flat.inputs[0]), back.outputs[0]
        shape = dims(source, flat)
        if dims(result, back) != shape or attribute(flat, "axis", 1) % len(shape) != len(shape) - 1:
            continue
        node.replace_input_with(0, source)
        set_attributes(node, axis=-1)
        node.outputs[0].shape = source.shape
        give_result(result, node.outputs[0])
        graph.remove(back, safe=True)
