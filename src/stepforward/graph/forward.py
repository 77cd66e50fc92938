"""Run a canonical float graph in NumPy, one block of samples at a time.

Sums are taken in float64 and rounded to float32 once. The order in which a library adds up then does not show in the
result: the same calibration data give the same formats on every machine and with every version of NumPy.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from stepforward.graph.functions import FUNCTIONS, evaluate
from stepforward.graph.nodes import attribute, constant, present
from stepforward.graph.recurrent import GATES, run_recurrent
from stepforward.operators.table import JOINS

Observer = Callable[[str, np.ndarray], None]


def run(graph: ir.Graph, x: np.ndarray, observe: Observer | None = None, block: int = 32) -> np.ndarray:
    """Logits (N, classes) float32 of a canonical graph.

    Args:
        x: float32 inputs (N, C, H, W).
        observe: called with (value name, array) for the input and every node's output, block after block.
        block: samples at a time.
    """
    parts = [_run_block(graph, x[start : start + block], observe) for start in range(0, len(x), block)]
    return np.concatenate(parts)


def run_rounded(
    graph: ir.Graph, x: np.ndarray, rounded: Callable[[str, np.ndarray], np.ndarray], block: int = 8
) -> np.ndarray:
    """Logits where every value is what `rounded` makes of it, by its name; the graph's input among them."""
    parts = [_run_block(graph, x[at : at + block], None, rounded) for at in range(0, len(x), block)]
    return np.concatenate(parts)


def _run_block(graph, x, observe, rounded=None):
    values = {graph.inputs[0].name: x if rounded is None else rounded(graph.inputs[0].name, x)}
    remaining = {value.name: len(value.uses()) for node in graph for value in node.outputs}
    if observe is not None:
        observe(graph.inputs[0].name, x)
    for node in graph:
        arrays = [
            None if value is None else values[value.name] if value.name in values else constant(value)
            for value in node.inputs
        ]
        result = _OPERATORS[node.op_type](node, *arrays)
        if rounded is not None:
            result = rounded(node.outputs[0].name, result)
        values[node.outputs[0].name] = result
        if observe is not None:
            observe(node.outputs[0].name, result)
        for value in node.inputs:
            if value is not None and value.name in remaining:
                remaining[value.name] -= 1
                if remaining[value.name] == 0 and not value.is_graph_output():
                    del values[value.name]
    return values[graph.outputs[0].name]


def values_of(graph: ir.Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every value that a canonical graph computes of some samples, and its input, by name."""
    values: dict[str, np.ndarray] = {}
    _run_block(graph, x, values.__setitem__)
    return values


def rerun(graph: ir.Graph, values: Mapping[str, np.ndarray], changed: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits where some values are others; what depends on none of these is not computed again.

    Args:
        values: of `values_of`, for the same samples.
        changed: values or parameters in place of the graph's own, by name.
    """
    new = dict(changed)
    for node in graph:
        result = present(node.outputs[0].name)
        if result in changed or not any(value is not None and value.name in new for value in node.inputs):
            continue
        arrays = [None if value is None else _known(value, new, values) for value in node.inputs]
        new[result] = _OPERATORS[node.op_type](node, *arrays)
    output = present(graph.outputs[0].name)
    return new[output] if output in new else values[output]


def _known(value, *places):
    return next((place[value.name] for place in places if value.name in place), constant(value))


def _conv(node, x, weight, bias):
    group, outputs = attribute(node, "group"), len(weight)
    if weight.shape[2:] == (1, 1) and group == 1 and not any(attribute(node, "pads")):
        down, across = attribute(node, "strides")
        x = x[:, :, ::down, ::across]
        flat = x.reshape(*x.shape[:2], -1).astype(np.float64)
        result = weight[:, :, 0, 0].astype(np.float64) @ flat
        return (result.reshape(len(x), outputs, *x.shape[2:]) + bias.reshape(-1, 1, 1)).astype(np.float32)
    windows = _windows(node, x, 0.0)  # N, C, OH, OW, KH, KW
    samples, channels, height, width = windows.shape[:4]
    if group == channels and weight.shape[1] == 1 and outputs == channels:
        result = np.einsum("nchwij,cij->nchw", windows, weight[:, 0], optimize=False, dtype=np.float64)
    else:
        columns = windows.transpose(1, 4, 5, 0, 2, 3).reshape(group, -1, samples * height * width)
        result = weight.reshape(group, outputs // group, -1).astype(np.float64) @ columns.astype(np.float64)
        result = result.reshape(outputs, samples, height, width).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(result + bias.reshape(-1, 1, 1), dtype=np.float32)


def _gemm(node, x, weight, bias):
    return (x.astype(np.float64) @ weight.T.astype(np.float64) + bias).astype(np.float32)


def _matmul(node, a, b):
    """Both in the order of their axes, in which NumPy hands them to its linear algebra."""
    return (a.astype(np.float64, order="C") @ b.astype(np.float64, order="C")).astype(np.float32)


def _windows(node, x, fill):
    """A view (N, C, OH, OW, KH, KW) of the padded input."""
    top, left, bottom, right = attribute(node, "pads")
    if top or left or bottom or right:
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    dilation = attribute(node, "dilations", (1, 1))
    span = [d * (k - 1) + 1 for k, d in zip(attribute(node, "kernel_shape"), dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(2, 3))
    stride = attribute(node, "strides")
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def _average_pool(node, x):
    total = _windows(node, x, 0.0).sum(axis=(4, 5), dtype=np.float64)
    count = np.prod(attribute(node, "kernel_shape"))
    if not attribute(node, "count_include_pad"):
        count = _windows(node, np.ones((1, 1, *x.shape[2:])), 0.0).sum(axis=(4, 5))
    return (total / count).astype(np.float32)


def _pad(node, x, pads, value):
    widths = list(zip(pads[: x.ndim], pads[x.ndim :], strict=True))
    return np.pad(x, widths, constant_values=np.float32(value))


def _clip(node, x, lo=None, hi=None):
    return np.clip(x, lo, hi)


def _layer_norm(node, x, weight, bias):
    x = x.astype(np.float64)
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + attribute(node, "epsilon", 1e-5))
    return (centred / deviation * weight + bias).astype(np.float32)


def _where(node, read, x, fill):
    return np.where(read, x, fill)


def _softmax(node, x):
    powers = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def _function(node, *arrays):
    return evaluate(node, *arrays).astype(np.float32)


_OPERATORS: dict[str, Callable[..., np.ndarray]] = {
    **dict.fromkeys(FUNCTIONS, _function),
    "Conv": _conv,
    "Gemm": _gemm,
    "Relu": lambda node, x: np.maximum(x, np.float32(0)),
    "Clip": _clip,
    "LayerNormalization": _layer_norm,
    "Softmax": _softmax,
    "Where": _where,
    **dict.fromkeys(GATES, run_recurrent),
    "MatMul": _matmul,
    "Sub": lambda node, a, b: a - b,
    **{name: (lambda node, a, b, join=join: join.real(a, b)) for name, join in JOINS.items()},
    "MaxPool": lambda node, x: _windows(node, x, -np.inf).max(axis=(4, 5)),
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda node, x: x.mean(axis=(2, 3), keepdims=True, dtype=np.float64).astype(
        np.float32
    ),
    "Pad": _pad,
    "Concat": lambda node, *arrays: np.concatenate(arrays, axis=attribute(node, "axis")),
    "Reshape": lambda node, x, shape: x.reshape(len(x), *shape[1:]),
    "Flatten": lambda node, x: x.reshape(len(x), -1),
    "Transpose": lambda node, x: x.transpose(attribute(node, "perm")),
}
