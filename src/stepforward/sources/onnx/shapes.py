"""Static shapes for every value, with the batch standing out as one odd number."""

import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, describe, make_names_distinct, present
from stepforward.sources.onnx.safe_slices import check_slices

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
    check_slices(model)


def free_batch(model: ir.Model) -> None:
    """Make the batch axis of every activation symbolic ("N") again."""
    for value in (*model.graph.inputs, *(result for node in model.graph for result in node.outputs)):
        value.shape = ir.Shape(["N", *present(value.shape).dims[1:]])
