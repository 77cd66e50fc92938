"""Adapted integers back into the quantized model."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import copy_model, present
from stepforward.network.network import Q_MAX
from stepforward.sources.qdq.read import DTYPES


def with_weights(model: ir.Model, weights: Mapping[str, np.ndarray]) -> ir.Model:
    """A copy of a quantized model whose integer initialisers hold other integers; nothing else changes.

    Args:
        weights: initialiser name -> integers of the same shape, in ONNX layout.

    Raises:
        StepforwardError: an unknown name, another shape, or integers outside the type's symmetric range.
    """
    model = copy_model(model)
    for name, array in weights.items():
        value = model.graph.initializers.get(name)
        stored = value.dtype if value is not None else None
        dtype = DTYPES.get(stored) if stored is not None else None
        if value is None or stored is None or dtype is None:
            raise StepforwardError(
                f"the model has no integer weight called {name!r}",
                "use the quantized model the weights belong to",
            )
        array, shape = np.asarray(array), tuple(present(value.shape))
        if array.dtype.kind not in "iu" or array.shape != shape:
            raise StepforwardError(
                f"weight {name!r} is {dtype} of shape {shape}, not {array.dtype} of {array.shape}",
                "use the quantized model the weights belong to",
            )
        if array.size and max(int(array.max()), -int(array.min())) > Q_MAX[dtype]:
            raise StepforwardError(
                f"weight {name!r} exceeds +-{Q_MAX[dtype]}", "clamp the integers to their type"
            )
        value.const_value = ir.tensor(array.astype(stored.numpy()), dtype=stored, name=name)
    return model
