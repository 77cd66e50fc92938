"""The float baseline: runs a canonical float graph in torch, with gradients. Needs the extra `stepforward[torch]`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward.engines.protocol import Batch
from stepforward.errors import StepforwardError
from stepforward.graph.nodes import PARAMETRIC, attribute, constant, copy_model
from stepforward.graph.recurrent import GATES, is_rectified
from stepforward.operators.table import JOINS

try:
    import torch
    import torch.nn.functional as F

    from stepforward.engines.torch_functions import FUNCTIONS_IN_TORCH
except ImportError as error:
    raise StepforwardError(
        "the float baseline needs torch, which is not installed", "pip install 'stepforward[torch]'"
    ) from error

Arrays = dict[str, NDArray[np.float32]]

BLOCK = 256
"""Samples that go forward together where no gradient is wanted."""


class TorchEngine:
    """One network and its float32 weights.

    Args:
        model: canonical float graph (`sources.onnx.canonical.canonicalize`, or `sources.qdq.dequantized.to_float`).
        trainable: names of the parameters that get gradients and may be moved.

    Raises:
        StepforwardError: a trainable name is not a parameter of the network.
    """

    def __init__(self, model: ir.Model, trainable: Sequence[str]):
        self._model = model
        self._parameters: dict[str, torch.Tensor] = {
            value.name: torch.tensor(constant(value))
            for node in model.graph
            if node.op_type in PARAMETRIC
            for value in node.inputs[1:3]
            if value is not None and value.name is not None
        }
        unknown = [name for name in trainable if name not in self._parameters]
        if unknown:
            raise StepforwardError(
                f"the network has no parameter called {unknown[0]!r}",
                f"its parameters are: {', '.join(self._parameters)}",
            )
        self.trainable = tuple(trainable)
        for name in self.trainable:
            self._parameters[name].requires_grad_()

    def outputs(self, batch: Batch) -> tuple[NDArray[np.float32], ...]:
        """Logits (N, classes) of float32 inputs (N, C, H, W), BLOCK samples at a time."""
        with torch.no_grad():
            parts = [self._forward(batch.x[start : start + BLOCK]) for start in range(0, len(batch), BLOCK)]
        return (torch.cat(parts).numpy(),)

    def loss(self, batch: Batch) -> float:
        """Mean cross-entropy in nats."""
        (logits,) = self.outputs(batch)
        return F.cross_entropy(torch.from_numpy(logits), _labels(batch.y)).item()

    def gradients(self, batch: Batch) -> tuple[float, Arrays]:
        """Mean cross-entropy of a batch in nats, and its gradient for each trainable parameter, by name."""
        loss = F.cross_entropy(self._forward(batch.x), _labels(batch.y))
        gradients = torch.autograd.grad(loss, [self._parameters[name] for name in self.trainable])
        return loss.item(), dict(zip(self.trainable, (g.numpy() for g in gradients), strict=True))

    def apply(self, moves: Mapping[str, NDArray[np.float32]]) -> None:
        """Add an array to each parameter named."""
        with torch.no_grad():
            for name, move in moves.items():
                self._parameters[name] += torch.from_numpy(move)

    def snapshot(self) -> Arrays:
        """Snapshot of the trainable parameters, by name."""
        return {name: self._parameters[name].detach().numpy().copy() for name in self.trainable}

    def restore(self, snapshot: Mapping[str, NDArray[np.float32]]) -> None:
        """Put a snapshot back."""
        with torch.no_grad():
            for name, array in snapshot.items():
                self._parameters[name].copy_(torch.from_numpy(array))

    def model(self) -> ir.Model:
        """A copy of the graph that holds the present weights."""
        model = copy_model(self._model)
        for name, array in self.snapshot().items():
            model.graph.initializers[name].const_value = ir.tensor(array, name=name)
        return model

    def _forward(self, x):
        graph = self._model.graph
        values = {graph.inputs[0].name: torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))}
        for node in graph:
            arguments = [self._value(value, values) for value in node.inputs]
            values[node.outputs[0].name] = OPERATORS[node.op_type](node, *arguments)
        return values[graph.outputs[0].name]

    def _value(self, value, values):
        if value is None:
            return None
        if value.name in values:
            return values[value.name]
        if value.name in self._parameters:
            return self._parameters[value.name]
        return constant(value)


def set_threads(count: int) -> None:
    """Threads of torch, for the whole process."""
    torch.set_num_threads(count)


def _labels(y):
    return torch.from_numpy(np.asarray(y, dtype=np.int64))


def _padded(node, x, fill):
    top, left, bottom, right = attribute(node, "pads")
    return F.pad(x, (left, right, top, bottom), value=fill) if top or left or bottom or right else x


def _conv(node, x, weight, bias):
    return F.conv2d(
        _padded(node, x, 0.0),
        weight,
        bias,
        stride=tuple(attribute(node, "strides")),
        dilation=tuple(attribute(node, "dilations")),
        groups=attribute(node, "group"),
    )


def _max_pool(node, x):
    return F.max_pool2d(
        _padded(node, x, float("-inf")),
        tuple(attribute(node, "kernel_shape")),
        tuple(attribute(node, "strides")),
        dilation=tuple(attribute(node, "dilations")),
    )


def _average_pool(node, x):
    kernel, strides = tuple(attribute(node, "kernel_shape")), tuple(attribute(node, "strides"))
    mean = F.avg_pool2d(_padded(node, x, 0.0), kernel, strides)
    if attribute(node, "count_include_pad"):
        return mean
    return mean / F.avg_pool2d(_padded(node, torch.ones(1, 1, *x.shape[2:]), 0.0), kernel, strides)


def _pad(node, x, pads, value=None):
    pads = [int(pad) for pad in pads]
    rank = x.ndim
    widths = [width for axis in reversed(range(rank)) for width in (pads[axis], pads[axis + rank])]
    return F.pad(x, widths, value=0.0 if value is None else float(value))


def _recurrent(node, x, weight, bias):
    """The states (N, T, H)."""
    state = x.new_zeros(len(x), weight.shape[1])
    cells, found = state, []
    backwards = attribute(node, "direction", "forward") == "reverse"
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        added = F.linear(state, weight, bias)
        if node.op_type == "LSTM":
            put, show, keep, new = (x[:, t] + added).chunk(4, dim=1)
            cells = torch.sigmoid(keep) * cells + torch.sigmoid(put) * torch.tanh(new)
            state = torch.sigmoid(show) * torch.tanh(cells)
        elif node.op_type == "RNN":
            state = (F.relu if is_rectified(node) else torch.tanh)(x[:, t] + added)
        else:
            state = _gru(node, x[:, t].chunk(3, dim=1), state, added.chunk(3, dim=1), weight, bias)
        found.append(state)
    return torch.stack(found[:: -1 if backwards else 1], dim=1)


def _gru(node, x, state, added, weight, bias):
    update, reset = (torch.sigmoid(x[gate] + added[gate]) for gate in (0, 1))
    last = slice(2 * weight.shape[1], None)
    after = attribute(node, "linear_before_reset", 0)
    more = reset * added[2] if after else F.linear(reset * state, weight[last], bias[last])
    return update * state + (1 - update) * torch.tanh(x[2] + more)


OPERATORS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": lambda node, x, weight, bias: F.linear(x, weight, bias),
    **{name: (lambda node, a, b, join=join: join.real(a, b)) for name, join in JOINS.items()},
    **FUNCTIONS_IN_TORCH,
    "LayerNormalization": lambda node, x, weight, bias: F.layer_norm(
        x, weight.shape, weight, bias, attribute(node, "epsilon", 1e-5)
    ),
    **dict.fromkeys(GATES, _recurrent),
    "Softmax": lambda node, x: F.softmax(x, dim=-1),
    "Where": lambda node, read, x, fill: torch.where(read, x, fill),
    "MatMul": lambda node, a, b: a @ b,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda node, x: x.mean((2, 3), keepdim=True),
    "Pad": _pad,
    "Concat": lambda node, *parts: torch.cat(parts, dim=attribute(node, "axis")),
    "Reshape": lambda node, x, shape: x.reshape(len(x), *shape[1:].tolist()),
    "Flatten": lambda node, x: x.flatten(1),
    "Transpose": lambda node, x: x.permute(*attribute(node, "perm")),
}
