"""ONNX's own rules of shapes end the process at a Slice of a tensor with an axis of no or negative size."""

import math

import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError

_SMALL = 1024
"""Elements of a constant that may take part in the computation of shapes."""


def check_slices(model: ir.Model) -> None:
    """Refuse a model in which such a Slice occurs. Shapes are computed up to the first Slices, then up to the next.

    Raises:
        StepforwardError: naming the node.
    """
    if not any(node.op_type == "Slice" for node in model.graph):
        return
    proto = _without_weights(ir.to_proto(model))
    nodes = list(proto.graph.node)
    open_slices = [node for node in nodes if node.op_type == "Slice"]
    while open_slices:
        hidden = {id(node) for node in open_slices}
        unknown, ready = set(), []
        for node in nodes:
            after = any(name in unknown for name in node.input)
            if id(node) in hidden and not after:
                ready.append(node)
            if after or id(node) in hidden:
                unknown.update(node.output)
                hidden.add(id(node))
        if not ready:
            return
        del proto.graph.node[:]
        proto.graph.node.extend(node for node in nodes if id(node) not in hidden)
        sizes = _sizes(proto)
        for node in ready:
            if any(size <= 0 for size in sizes.get(node.input[0], ())):
                raise StepforwardError(
                    f"Slice node {node.name or node.output[0]!r} cuts a tensor of shape {sizes[node.input[0]]}",
                    "check that the model runs in ONNX Runtime on one sample, then export it again",
                )
        open_slices = [node for node in open_slices if all(node is not done for done in ready)]


def _without_weights(proto):
    """The model with inputs in the place of its large constants."""
    light = onnx.ModelProto(
        ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions
    )
    light.graph.name = "shapes"
    light.graph.node.extend(proto.graph.node)
    light.graph.input.extend(proto.graph.input)
    known = {value.name for value in proto.graph.input}
    for tensor in proto.graph.initializer:
        if tensor.name not in known and math.prod(tensor.dims) > _SMALL:
            value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            light.graph.input.append(value)
        elif tensor.name not in known:
            light.graph.initializer.append(tensor)
    return light


def _sizes(proto):
    """The known sizes of every value, by name; none where the shapes contradict each other, which is said elsewhere."""
    try:
        graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except Exception:  # the C++ library raises its own kinds
        return {}
    return {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim if dim.HasField("dim_value")]
        for info in (*graph.input, *graph.value_info, *graph.output)
    }
