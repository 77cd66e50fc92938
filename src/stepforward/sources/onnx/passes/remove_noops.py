"""Remove nodes that change nothing at inference: Identity, Dropout, casts to float, empty slices and pads."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import attribute, bypass, constant, dims


def remove_noops(graph: ir.Graph) -> None:
    """Bypass every node whose result is its first input."""
    for node in list(graph):
        if _is_noop(node):
            bypass(node, node.inputs[0])


def _is_noop(node):
    if not node.inputs or node.inputs[0] is None or node.inputs[0].is_initializer():
        return False
    kind = node.op_type
    if kind == "Dropout":
        return not (len(node.outputs) > 1 and node.outputs[1].uses()) and not _is_training(node)
    if kind == "Identity" or (kind in ("Concat", "Sum", "Max", "Min") and len(node.inputs) == 1):
        return True
    if kind in ("Cast", "CastLike"):
        return node.inputs[0].dtype == node.outputs[0].dtype
    if kind in ("Reshape", "Flatten", "Expand", "Slice", "Squeeze", "Unsqueeze", "Tile"):
        return dims(node.inputs[0], node) == dims(node.outputs[0], node) and not _reverses(node)
    if kind == "Transpose":
        perm = attribute(node, "perm")
        return perm is not None and tuple(perm) == tuple(range(len(perm)))
    if kind == "Pad":
        pads = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return pads is not None and not np.any(pads)
    return False


def _is_training(node):
    flag = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return flag is not None and bool(flag)


def _reverses(node):
    steps = constant(node.inputs[4]) if node.op_type == "Slice" and len(node.inputs) > 4 else None
    return steps is not None and bool((steps < 0).any())
