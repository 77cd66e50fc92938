"""Other scales for the integers of a quantized model: one for every output channel."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import copy_model, present


def with_scales(model: ir.Model, scales: Mapping[str, Sequence[float]]) -> ir.Model:
    """A copy of a quantized model in which some weights and biases have other scales; the integers stay.

    A weight or bias that had one scale gets one for every output channel.

    Args:
        model: as `quantize` writes it.
        scales: initialiser name -> float32 values, one for each output channel.

    Raises:
        StepforwardError: an unknown name, another number of channels, or a scale that is not positive.
    """
    model = copy_model(model)
    readers = {
        present(node.inputs[0]).name: node
        for node in model.graph
        if node.op_type == "DequantizeLinear" and present(node.inputs[0]).is_initializer()
    }
    for name, values in scales.items():
        node = readers.get(name)
        if node is None:
            raise StepforwardError(
                f"the model has no integer weight called {name!r}",
                "use the quantized model the scales belong to",
            )
        _rescale(node, name, np.asarray(values, dtype=np.float32))
    return model


def _rescale(node: ir.Node, name: str, scale: np.ndarray) -> None:
    integers = present(node.inputs[0])
    if scale.shape != tuple(present(integers.shape))[:1] or not (np.isfinite(scale) & (scale > 0)).all():
        raise StepforwardError(
            f"weight {name!r} has {present(integers.shape)[0]} channels and needs as many positive scales",
            "use the quantized model the scales belong to",
        )
    _set(present(node.inputs[1]), scale)
    if len(node.inputs) > 2:
        zero_point = present(node.inputs[2])
        _set(zero_point, np.zeros(len(scale), dtype=present(zero_point.dtype).numpy()))
    node.attributes["axis"] = ir.AttrInt64("axis", 0)


def _set(value: ir.Value, array: np.ndarray) -> None:
    """Another content of an initialiser that this parameter alone has."""
    value.const_value = ir.tensor(array, dtype=value.dtype, name=value.name)
    value.shape = ir.Shape(array.shape)
