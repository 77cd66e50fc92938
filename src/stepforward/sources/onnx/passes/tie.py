"""Layers that shared a weight share it again, where all passes left their copies equal."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import attribute, constant, present
from stepforward.sources.onnx.passes.unshare import SHARED


def tie(graph: ir.Graph) -> None:
    """Let layers of one kind whose weights `unshare` copied read one of the copies; each keeps its own bias.

    A weight is one parameter then, however many layers use it. A bias is not: its integers have the scale of the
    layer's input, and inputs differ.
    """
    first: dict[tuple, ir.Value] = {}
    for node in graph:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        weight = present(node.inputs[1])
        if SHARED not in weight.metadata_props:
            continue
        kind = weight.metadata_props[SHARED], node.op_type, attribute(node, "group", 1)
        kept = first.setdefault(kind, weight)
        if kept is not weight and np.array_equal(present(constant(kept)), present(constant(weight))):
            node.replace_input_with(1, kept)
            del graph.initializers[present(weight.name)]
