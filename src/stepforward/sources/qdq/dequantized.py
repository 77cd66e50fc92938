"""A quantized model as a float network again, with the real values of its integer weights."""

import numpy as np
import onnx_ir as ir

from stepforward.graph.metadata import BITS, set_statistics
from stepforward.graph.nodes import bypass, constant, copy_model, keep_only, logits_of, present, remove_unused
from stepforward.sources.onnx.several_inputs import take_together
from stepforward.sources.onnx.tokens import take_off
from stepforward.sources.qdq.read import read_quantized


def to_float(model: ir.Model) -> ir.Model:
    """The canonical float graph of a quantized model: weights are float32(q) * scale, activations are not rounded.

    Of token ids it reads the vectors that they stand for.

    Raises:
        StepforwardError: the model is not quantized, or damaged.
    """
    read_quantized(model)  # refuses what does not fit together
    model, _ = take_off(copy_model(model), "the quantized model")
    model, _ = take_together(model)
    graph = model.graph
    keep_only(graph, logits_of(model))
    del graph.inputs[1:]  # fixed ones
    output = graph.outputs[0].name
    for node in [node for node in graph if node.op_type in ("QuantizeLinear", "DequantizeLinear")]:
        if node.graph is None:  # removed together with its QuantizeLinear
            continue
        value = present(node.inputs[0])
        if node.op_type == "DequantizeLinear" and value.is_initializer():
            array = _real(constant(value), constant(node.inputs[1]))
            node.outputs[0].replace_all_uses_with(value)
            graph.remove(node, safe=True)
            value.const_value = ir.tensor(array, name=value.name)
            value.dtype = ir.DataType.FLOAT
        else:
            for use in list(node.outputs[0].uses()):
                bypass(use.node, value)
            graph.remove(node, safe=True)
    graph.outputs[0].name = output
    remove_unused(graph)
    del model.metadata_props[BITS]
    set_statistics(model, {})
    return model


def _real(q, scale):
    scale = scale.reshape(-1, *(1,) * (q.ndim - 1)) if scale.ndim else scale
    return (q.astype(np.float32) * scale).astype(np.float32)
