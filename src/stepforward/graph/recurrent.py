"""GRU, LSTM and RNN in a canonical graph: nodes of a domain of their own, each with its meaning in ONNX's operators.

ONNX's own operators count time before the batch and hold a projection of their inputs and several directions. A node
here has one direction, counts the batch first, and reads a projection that another node computed: x (N, T, G*H), the
weight (G*H, H) and the bias (G*H,) of what the state adds to it; it gives the states (N, T, H). A model file carries
the functions, so that any runtime computes it.
"""

import functools
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward.graph.nodes import attribute
from stepforward.operators.recurrent import OPEN_STATE, STATE_SCALE

DOMAIN = "stepforward"
GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}

_ATTRIBUTES = {
    "GRU": {"hidden_size": "int", "direction": "string", "linear_before_reset": "int"},
    "LSTM": {"hidden_size": "int", "direction": "string"},
    "RNN": {"hidden_size": "int", "direction": "string", "activations": "strings"},
}

_BODY = """<domain: "stepforward", opset_import: ["": 21]>
%(name)s <%(names)s> (x, r, b) => (y) {
  steps = Transpose <perm = [1, 0, 2]> (x)
  rows = Shape <start = 0, end = 1> (r)
  square = Concat <axis = 0> (rows, rows)
  zeros = ConstantOfShape (square)
  same = EyeLike (zeros)
  first = Constant <value_ints = [0]> ()
  input_weight = Unsqueeze (same, first)
  state_weight = Unsqueeze (r, first)
  nothing = ConstantOfShape (rows)
  both = Concat <axis = 0> (nothing, b)
  biases = Unsqueeze (both, first)
  states = %(name)s <%(attributes)s> (steps, input_weight, state_weight, biases)
  second = Constant <value_ints = [1]> ()
  one = Squeeze (states, second)
  y = Transpose <perm = [1, 0, 2]> (one)
}"""


@functools.cache
def _function(name: str) -> onnx.FunctionProto:
    kinds = _ATTRIBUTES[name]
    attributes = ", ".join(f"{key}: {kind} = @{key}" for key, kind in kinds.items())
    return onnx.parser.parse_function(
        _BODY % {"name": name, "names": ", ".join(kinds), "attributes": attributes}
    )


def is_recurrent(node: ir.Node) -> bool:
    """Whether it is one of these."""
    return node.domain == DOMAIN and node.op_type in GATES


def is_rectified(node: ir.Node) -> bool:
    """Whether the states of one of these are what a ReLU gives, which nothing bounds."""
    return node.op_type == "RNN" and "Relu" in attribute(node, "activations")


def state_step(node: ir.Node, step: float) -> float:
    """One step of the states as the weights of one of these read them, if it reads its inputs in steps of `step`."""
    return step * OPEN_STATE if is_rectified(node) else STATE_SCALE


def add_functions(model: ir.Model) -> None:
    """Write what such nodes of a model compute into it, and drop all other functions."""
    used = sorted({node.op_type for node in model.graph if is_recurrent(node)})
    model.functions.clear()
    for name in used:
        made: Any = ir.from_proto(_function(name))
        model.functions[made.identifier()] = made
    if used:
        model.graph.opset_imports[DOMAIN] = 1


def run_recurrent(node: ir.Node, x: NDArray, weight: NDArray, bias: NDArray) -> NDArray[np.float32]:
    """The states (N, T, H) float32 of a node, computed in float64."""
    x, weight, bias = (array.astype(np.float64) for array in (x, weight, bias))
    steps, hidden = x.swapaxes(0, 1), weight.shape[1]
    backwards = attribute(node, "direction", "forward") == "reverse"
    found, state = np.zeros((x.shape[1], len(x), hidden), np.float64), np.zeros((len(x), hidden))
    cells = state
    for t in range(len(steps))[:: -1 if backwards else 1]:
        if node.op_type == "LSTM":
            put, show, keep, new = np.split(steps[t] + state @ weight.T + bias, 4, axis=1)
            cells = _sigmoid(keep) * cells + _sigmoid(put) * np.tanh(new)
            state = _sigmoid(show) * np.tanh(cells)
        elif node.op_type == "RNN":
            total = steps[t] + state @ weight.T + bias
            state = np.maximum(total, 0) if is_rectified(node) else np.tanh(total)
        else:
            state = _gru(steps[t], state, weight, bias, bool(attribute(node, "linear_before_reset", 0)))
        found[t] = state
    return found.swapaxes(0, 1).astype(np.float32)


def _gru(x, state, weight, bias, reset_after):
    hidden = weight.shape[1]
    added = state @ weight.T + bias
    update, reset = (_sigmoid(x[:, part] + added[:, part]) for part in _parts(hidden, 2))
    last = _parts(hidden, 3)[2]
    more = reset * added[:, last] if reset_after else (reset * state) @ weight[last].T + bias[last]
    return update * state + (1 - update) * np.tanh(x[:, last] + more)


def _parts(hidden, count):
    return [slice(gate * hidden, (gate + 1) * hidden) for gate in range(count)]


def _sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))
