"""Every Conv and Gemm gets a bias, zero where it had none: there is always something to train."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import constant, describe, present, set_constant
from stepforward.sources.onnx.passes.fold_affine import bias_name_of


def keep_biases(graph: ir.Graph) -> None:
    """Add zero biases named after the weight.

    Raises:
        StepforwardError: a weight or bias is computed, not constant.
    """
    for node in graph:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        weight = constant(node.inputs[1])
        has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
        if weight is None or (has_bias and constant(node.inputs[2]) is None):
            raise StepforwardError(
                f"the weight or bias of {describe(node)} is computed by the network",
                "only constant weights can be adapted",
            )
        if not has_bias:
            zeros = np.zeros(len(weight), np.float32)
            set_constant(node, 2, zeros, bias_name_of(present(present(node.inputs[1]).name)))
