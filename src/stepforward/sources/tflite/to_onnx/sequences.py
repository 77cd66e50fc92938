"""Layers over time: LSTM and plain RNN, whose states begin at zero with every sample; and time turned around."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator
from stepforward.sources.tflite.to_onnx.graph import Translation, axis_of
from stepforward.sources.tflite.to_onnx.layers import layer_name

SEQUENCES = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN")
"""Operators that hold states in variables, which a runtime sets to zero before each sample."""

_RELU, _TANH = 1, 4

_INPUT, _FORGET, _CELL, _OUTPUT = range(4)
_AS_ONNX = (_INPUT, _OUTPUT, _FORGET, _CELL)
_WEIGHTS, _RECURRENCES, _PEEPHOLES, _BIASES, _PROJECTION, _NORMS = 1, 5, 9, 12, 16, 20
"""Where the operands of an LSTM begin: of four gates each, peepholes of three, a projection of two."""


def lstm(t: Translation, o: Operator) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: plain, with all four gates."""
    for what, found in (
        ("has no input gate of its own", not t.has(o, _WEIGHTS) or not t.has(o, _RECURRENCES)),
        ("has peepholes", any(t.has(o, _PEEPHOLES + gate) for gate in range(3))),
        ("projects its states", t.has(o, _PROJECTION)),
        ("normalizes its gates", any(t.has(o, _NORMS + gate) for gate in range(4))),
        ("clips its cells", o.options.get("CellClip", 0.0) > 0),
        ("has another activation than TANH", o.options.get("FusedActivationFunction", _TANH) != _TANH),
    ):
        if found:
            raise UnreadableError(f"it {what}: a plain LSTM is needed")
    weight, recurrence = (
        np.concatenate([_matrix(t, o, first + gate) for gate in _AS_ONNX])
        for first in (_WEIGHTS, _RECURRENCES)
    )
    bias = np.concatenate([t.array(o, _BIASES + gate).reshape(-1) for gate in _AS_ONNX])
    _give(t, o, "LSTM", weight, recurrence, bias)


def rnn(t: Translation, o: Operator) -> None:
    """UNIDIRECTIONAL_SEQUENCE_RNN."""
    activation = o.options.get("FusedActivationFunction", _TANH)
    if activation not in (_RELU, _TANH):
        raise UnreadableError("its activation is neither TANH nor RELU")
    functions = ["Relu" if activation == _RELU else "Tanh"]
    _give(t, o, "RNN", _matrix(t, o, 1), _matrix(t, o, 2), t.array(o, 3).reshape(-1), activations=functions)


def reverse(t: Translation, o: Operator) -> None:
    """REVERSE_V2 along one axis, as before and after a layer that goes backwards."""
    axes, shape = t.array(o, 1).reshape(-1), t.tensor(o, 0).shape
    if len(axes) != 1:
        raise UnreadableError(f"it turns {len(axes)} axes around: one is needed")
    axis = axis_of(int(axes[0]), len(shape), False)
    order = t.integers(range(shape[axis] - 1, -1, -1))
    t.give(o, t.put("Gather", [t.read(o), order], axis=axis))


def _matrix(t: Translation, o: Operator, place: int) -> np.ndarray:
    found = t.array(o, place)
    if found.ndim != 2:
        raise UnreadableError(
            f"its weight {t.tensor(o, place).name} has shape {found.shape}: a matrix is needed"
        )
    return found


def _give(
    t: Translation,
    o: Operator,
    kind: str,
    weight: np.ndarray,
    recurrence: np.ndarray,
    bias: np.ndarray,
    **attributes: list[str],
) -> None:
    x, shape = t.read(o), t.tensor(o, 0).shape
    rows, hidden = recurrence.shape
    if len(shape) != 3 or weight.shape != (rows, shape[2]) or bias.shape != (rows,):
        raise UnreadableError(f"it reads {shape} with weights {weight.shape} and {recurrence.shape}")
    by_time = bool(o.options.get("TimeMajor", 0))
    x = x if by_time else _turned(t, x)
    layer = layer_name(t.file, o)
    operands = [
        t.constant(values[None], f"{layer}.{name}")
        for name, values in (
            ("weight", weight),
            ("recurrence", recurrence),
            ("bias", np.concatenate([bias, np.zeros(rows, np.float32)])),
        )
    ]
    states, *_ = t.put_several(kind, [x, *operands], 1, hidden_size=hidden, **attributes)
    states = t.put("Squeeze", [states, t.integers([1])])
    t.give(replace(o, options={}), states if by_time else _turned(t, states))


def _turned(t: Translation, value: ir.Value) -> ir.Value:
    """Batch and time in each other's place."""
    return t.put("Transpose", [value], perm=(1, 0, 2))
