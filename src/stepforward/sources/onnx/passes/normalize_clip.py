"""One form for everything that bounds values: Relu, or Clip with float initialisers."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, bypass, constant, describe, replace_node


def normalize_clip(graph: ir.Graph) -> None:
    """Rewrite Clip, and Max or Min with a constant scalar, as Relu or Clip; drop one without bounds.

    Raises:
        StepforwardError: a bound is computed, not constant.
    """
    for node in list(graph):
        bounds = _bounds(node)
        if bounds is None:
            continue
        source, lo, hi = bounds
        if lo == -np.inf and hi == np.inf:
            bypass(node, source)
        elif lo == 0 and hi == np.inf:
            replace_node(node, "Relu", [source])
        else:
            name = node.outputs[0].name
            limits = [
                add_initializer(graph, f"{name}.{end}", np.array(bound, np.float32))
                if np.isfinite(bound)
                else None
                for end, bound in (("min", lo), ("max", hi))
            ]
            replace_node(node, "Clip", [source, *limits] if limits[1] is not None else [source, limits[0]])


def _bounds(node):
    """The bounded value and its bounds, or None for another operator."""
    if node.op_type == "Clip":
        limits = [_scalar(node, node.inputs[i] if len(node.inputs) > i else None) for i in (1, 2)]
        lo = -np.inf if limits[0] is None else limits[0]
        return node.inputs[0], lo, np.inf if limits[1] is None else limits[1]
    if node.op_type in ("Max", "Min") and len(node.inputs) == 2:
        for index in (0, 1):
            array = constant(node.inputs[index])
            if array is not None and array.size == 1:
                bound = float(array.reshape(()))
                other = node.inputs[1 - index]
                return (other, bound, np.inf) if node.op_type == "Max" else (other, -np.inf, bound)
    return None


def _scalar(node, value):
    if value is None:
        return None
    array = constant(value)
    if array is None or array.size != 1:
        raise StepforwardError(
            f"{describe(node)} has a computed bound {value.name!r}", "clip between two constants"
        )
    # The exporter writes "no upper bound" as the largest float.
    bound = float(array.reshape(()))
    return np.inf * np.sign(bound) if abs(bound) >= float(np.finfo(np.float32).max) else bound
