"""Static shapes for every value, with the batch standing out as one odd number."""

import math

import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, describe, make_names_distinct, present

_SMALL = 1024
"""Elements of a constant that may take part in the computation of shapes."""

BATCH = 97
"""Stands for a dynamic batch while shapes are computed: a prime that no layer size is likely to be."""


def fix_batch(model: ir.Model) -> int:
    """Give a dynamic batch axis a fixed size and return the batch that shapes now carry."""
    value = model.graph.inputs[0]
    first, *rest = present(value.shape).dims
    batch = first if isinstance(first, int) else BATCH
    value.shape = ir.Shape([batch, *rest])
    value.dtype = ir.DataType.FLOAT
    for value in model.graph.outputs:
        value.shape = None
    return batch


def infer_shapes(model: ir.Model) -> None:
    """Compute the shape of every value by ONNX's own rules; the input's shape must be static.

    Raises:
        StepforwardError: the shapes of the network contradict each other.
    """
    check_attributes(model)
    make_names_distinct(model.graph)
    for node in model.graph:
        for value in node.outputs:
            value.shape = None
    try:
        inferred = onnx.shape_inference.infer_shapes(ir.to_proto(model), strict_mode=True, data_prop=True)
    except Exception as error:  # the C++ library raises its own kinds
        lines = str(error).strip().splitlines()
        raise StepforwardError(
            f"the shapes inside the model contradict each other: {lines[-1] if lines else error}",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        ) from error
    known = {info.name: info for info in (*inferred.graph.value_info, *inferred.graph.output)}
    for node in model.graph:
        for value in node.outputs:
            info = known.get(value.name)
            if info is None or not info.type.tensor_type.HasField("shape"):
                continue
            value.dtype = ir.DataType(info.type.tensor_type.elem_type)
            value.shape = ir.Shape(
                dim.dim_value if dim.HasField("dim_value") else None
                for dim in info.type.tensor_type.shape.dim
            )


def check_attributes(model: ir.Model) -> None:
    """Refuse what ONNX's own rules of shapes follow into memory that is not there.

    Raises:
        StepforwardError: naming the node.
    """
    for node in model.graph:
        if node.op_type == "Split" and attribute(node, "num_outputs", len(node.outputs)) != len(node.outputs):
            what = f"says it has {attribute(node, 'num_outputs'):,} outputs and has {len(node.outputs)}"
        elif node.op_type == "GatherND" and attribute(node, "batch_dims", 0) != 0:
            what = f"has batch_dims {attribute(node, 'batch_dims')}"
        else:
            continue
        raise StepforwardError(
            f"{describe(node)} {what}",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    _check_slices(model)


def free_batch(model: ir.Model) -> None:
    """Make the batch axis of every activation symbolic ("N") again."""
    for value in (*model.graph.inputs, *(result for node in model.graph for result in node.outputs)):
        value.shape = ir.Shape(["N", *present(value.shape).dims[1:]])


def _check_slices(model: ir.Model) -> None:
    """Refuse a Slice of a tensor with an axis of no or negative size, at which ONNX's own rules end the process.

    Shapes are computed up to the first Slices, then up to the next.

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
