"""Drop a Softmax at the end: cross-entropy takes logits, and the arg max is the same."""

import onnx_ir as ir

from stepforward.graph.nodes import attribute, bypass, describe, dims, last_of, unused_name, value_names


def drop_softmax(graph: ir.Graph) -> list[str]:
    """Remove Softmax and LogSoftmax over the classes at the network's end; a note for each.

    The output is called "logits" then, or the like where another value is.
    """
    notes = []
    while (node := last_of(graph, ("Softmax", "LogSoftmax"))) is not None:
        rank = len(dims(node.outputs[0], node))
        if attribute(node, "axis", -1) % rank != 1:
            break
        notes.append(f"the final {describe(node)} was dropped: the output holds logits")
        bypass(node, node.inputs[0])
        name_logits(graph)
    return notes


def name_logits(graph: ir.Graph) -> None:
    """Call the output "logits"."""
    output = graph.outputs[0]
    output.name = unused_name("logits", value_names(graph) - {output.name})
