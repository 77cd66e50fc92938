"""Matrix products with a constant weight become Gemm with the weight stored (outputs, inputs)."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    attribute,
    constant,
    describe,
    dims,
    present,
    replace_node,
    set_attributes,
    set_constant,
)


def matmul_to_gemm(graph: ir.Graph) -> None:
    """Rewrite MatMul by a constant and every Gemm as Gemm with transB=1, alpha=beta=1 and any bias of shape (outputs,).

    Raises:
        StepforwardError: the weight is computed, or the input is not (N, features).
    """
    for node in list(graph):
        if node.op_type == "MatMul" and all(constant(value) is None for value in node.inputs):
            continue  # a product of two tensors
        if node.op_type == "MatMul":
            _check(node)
            gemm = replace_node(node, "Gemm", list(node.inputs), {"transB": 0})
            _normalize(gemm)
        elif node.op_type == "Gemm":
            _check(node)
            _normalize(node)


def _check(node):
    shape, weight = dims(node.inputs[0], node), constant(node.inputs[1])
    if weight is None or attribute(node, "transA", 0):
        raise StepforwardError(
            f"{describe(node)} multiplies by something that is not a constant matrix",
            "attention and bilinear layers are not supported; use nn.Linear with fixed weights",
        )
    if weight.ndim != 2:
        raise StepforwardError(
            f"{describe(node)} multiplies by a constant of shape {weight.shape}, not by a matrix",
            "use nn.Linear, or reshape the constant to (inputs, outputs)",
        )
    if len(shape) != 2:
        raise StepforwardError(
            f"{describe(node)} is applied to a tensor of shape {shape}; expected (N, features)",
            "flatten first: x.flatten(1), or use a 1x1 convolution for a layer applied at every position",
        )
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and constant(bias) is None:
        raise StepforwardError(f"{describe(node)} has a computed bias", "use a constant bias")


def _normalize(node):
    weight = present(constant(node.inputs[1]))
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    changed = weight if attribute(node, "transB", 0) else weight.T
    if alpha != 1.0:
        changed = (changed * np.float32(alpha)).astype(np.float32)
    if changed is not weight:
        set_constant(node, 1, changed, f"{node.outputs[0].name}.weight")
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias = present(constant(node.inputs[2]))
        if bias.shape not in ((), (1,), (1, 1), (len(changed),), (1, len(changed))):
            raise StepforwardError(
                f"{describe(node)} has {len(changed)} outputs and a bias of shape {bias.shape}",
                "give the bias one number per output",
            )
        wanted = np.broadcast_to((bias * np.float32(beta)).reshape(-1), (len(changed),)).astype(np.float32)
        if beta != 1.0 or bias.shape != wanted.shape:
            set_constant(node, 2, wanted, f"{node.outputs[0].name}.bias")
    set_attributes(node, alpha=1.0, beta=1.0, transA=0, transB=1)
