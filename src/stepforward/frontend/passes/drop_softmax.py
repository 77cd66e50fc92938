"""Drop a Softmax at the end: cross-entropy takes logits, and the arg max is the same."""

import onnx_ir as ir

from stepforward.frontend.graph import attribute, bypass, describe, dims
from stepforward.frontend.metadata import add_note


def drop_softmax(model: ir.Model) -> None:
    """Remove Softmax and LogSoftmax over the classes at the network's output and leave a note.

    The output is called "logits" then.
    """
    node = model.graph.outputs[0].producer()
    while node is not None and node.op_type in ("Softmax", "LogSoftmax"):
        rank = len(dims(node.outputs[0], node))
        if attribute(node, "axis", -1) % rank != 1:
            return
        add_note(model, f"the final {describe(node)} was dropped: the output holds logits")
        before = node.inputs[0]
        bypass(node, before)
        before.name = "logits"
        node = before.producer()
