"""One float type: half and double precision become float32."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import attribute, set_attributes

_OTHER = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


def to_float32(graph: ir.Graph) -> list[str]:
    """Read float16, bfloat16 and float64 weights, constants, inputs and casts as float32; a note if there were any."""
    kinds = set()
    for value in graph.initializers.values():
        if value.const_value is not None and value.const_value.dtype in _OTHER:
            if value.const_value.size > 1:
                kinds.add(value.const_value.dtype.name.lower())
            value.const_value = _single(value.const_value, value.name)
            value.dtype = ir.DataType.FLOAT
    for value in (*graph.inputs, *graph.outputs):
        if value.dtype in _OTHER:
            kinds.add(value.dtype.name.lower())
            value.dtype = ir.DataType.FLOAT
    for node in graph:
        _rewrite(node)
    return [f"the model's {' and '.join(sorted(kinds))} numbers were read as float32"] if kinds else []


def _rewrite(node):
    for name in ("to", "dtype"):
        if node.op_type in ("Cast", "EyeLike") and attribute(node, name) in _OTHER:
            set_attributes(node, **{name: ir.DataType.FLOAT.value})
    value = node.attributes.get("value")
    if value is not None and value.type == ir.AttributeType.TENSOR and value.value.dtype in _OTHER:
        set_attributes(node, value=_single(value.value, value.value.name))


def _single(tensor, name):
    with np.errstate(over="ignore"):  # too large for float32: found where weights are checked
        return ir.tensor(tensor.numpy().astype(np.float32), name=name)
