"""What ONNX Runtime reads and ONNX's checker does not: brought into the checker's form before it looks."""

import onnx


def make_strict(proto: onnx.ModelProto) -> None:
    """Write dynamic sizes and missing types as ONNX wants them; what no operator reads off the file is dropped.

    An axis of size -1 or 0 becomes dynamic. An output without a type or shape gets one where it can be inferred, and
    else float with a dynamic axis, which says nothing: shapes are inferred again in any case, so those noted for
    inner tensors go. Files older than version 4 of the format list initializers among the inputs; those that do not
    are taken for newer ones.
    """
    graph = proto.graph
    if not {tensor.name for tensor in graph.initializer} <= {value.name for value in graph.input}:
        proto.ir_version = max(proto.ir_version, 4)
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < 1:
                dim.ClearField("dim_value")
    if any(_is_open(value) for value in graph.output):
        _complete_outputs(proto)


def _is_open(value):
    kind = value.type.WhichOneof("value")
    return kind is None or (
        kind == "tensor_type"
        and not (value.type.tensor_type.HasField("shape") and value.type.tensor_type.elem_type)
    )


def _complete_outputs(proto):
    graph = proto.graph
    try:
        inferred = {info.name: info for info in onnx.shape_inference.infer_shapes(proto).graph.output}
    except Exception:
        inferred = {}
    for value in graph.output:
        if not _is_open(value):
            continue
        if value.name in inferred and not _is_open(inferred[value.name]):
            value.CopyFrom(inferred[value.name])
            continue
        tensor = value.type.tensor_type
        tensor.elem_type = tensor.elem_type or onnx.TensorProto.FLOAT
        if not tensor.HasField("shape"):
            tensor.shape.dim.add()
