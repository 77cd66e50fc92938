"""Layers: convolutions, fully connected ones, products of matrices and pools."""

import math

import onnx_ir as ir

from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator, TfliteFile
from stepforward.sources.tflite.to_onnx.graph import Translation

_SAME = 0


def conv(t: Translation, o: Operator) -> None:
    """CONV_2D and DEPTHWISE_CONV_2D; weights (O, KH, KW, I) or (1, KH, KW, O)."""
    weight, x = t.array(o, 1), t.tensor(o, 0)
    if weight.ndim != 4 or len(x.shape) != 4:
        raise UnreadableError(f"it reads {x.shape} with a weight {weight.shape}: images are needed")
    depthwise = o.code == "DEPTHWISE_CONV_2D"
    weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
    group = x.shape[3] // weight.shape[1] if weight.shape[1] else 0
    if group * weight.shape[1] != x.shape[3]:
        raise UnreadableError(f"its weight has {weight.shape[1]} inputs, its input {x.shape[3]} channels")
    inputs = [t.read(o, 0, first=True), t.constant(weight, f"{_layer(t, o)}.weight"), *_bias(t, o)]
    a = o.options
    dilations = [a.get(f"Dilation{side}Factor", 1) for side in "HW"]
    t.give(o, t.put("Conv", inputs, group=group, dilations=dilations, **_window(o)), first=True)


def transposed_conv(t: Translation, o: Operator) -> None:
    """TRANSPOSE_CONV; weights (O, KH, KW, I), the input third."""
    weight, x, y = t.array(o, 1), t.tensor(o, 2), t.output(o)
    if weight.ndim != 4 or len(x.shape) != 4 or len(y.shape) != 4:
        raise UnreadableError(f"it reads {x.shape} with a weight {weight.shape}: images are needed")
    pads, more = [0, 0, 0, 0], [0, 0]
    strides = _window(o)["strides"]
    for i, stride in enumerate(strides):
        total = (x.shape[1 + i] - 1) * stride + weight.shape[1 + i] - y.shape[1 + i]
        if total >= 0:
            pads[i], pads[2 + i] = total // 2, total - total // 2
        more[i] = max(0, -total)
    inputs = [
        t.read(o, 2, first=True),
        t.constant(weight.transpose(3, 0, 1, 2), f"{_layer(t, o)}.weight"),
        *_bias(t, o, 3),
    ]
    made = t.put("ConvTranspose", inputs, strides=strides, pads=pads, output_padding=more)
    t.give(o, made, first=True)


def pool(t: Translation, o: Operator) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    kernel = [o.options.get(f"Filter{side}", 1) for side in ("Height", "Width")]
    kind = "MaxPool" if o.code == "MAX_POOL_2D" else "AveragePool"
    t.give(o, t.put(kind, [t.read(o, first=True)], kernel_shape=kernel, **_window(o)), first=True)


def fully_connected(t: Translation, o: Operator) -> None:
    """FULLY_CONNECTED: weights (O, K), constant or computed, at every position of the last axis."""
    if o.options.get("WeightsFormat", 0):
        raise UnreadableError("its weights are shuffled: plain ones are needed")
    x, shape, y = t.read(o), t.tensor(o, 0).shape, t.output(o).shape
    outputs, inputs = t.tensor(o, 1).shape if len(t.tensor(o, 1).shape) == 2 else (0, 0)
    if not inputs or math.prod(shape) % inputs:
        raise UnreadableError(f"it multiplies {shape} by {t.tensor(o, 1).shape}: a matrix is needed")
    if not t.is_constant(o, 1):
        rows = (math.prod(shape) // inputs, inputs)
        x = x if shape == rows else t.reshape(x, rows)
        made = t.put("MatMul", [x, t.put("Transpose", [t.read(o, 1)], perm=(1, 0))])
        shape = rows
        if t.has(o, 2):
            made = t.put("Add", [made, t.read(o, 2)])
    else:
        if shape[-1] != inputs:
            shape = (math.prod(shape) // inputs, inputs)
            x = t.reshape(x, shape)
        weight, bias = t.constant(t.array(o, 1).T, f"{_layer(t, o)}.weight"), _bias(t, o)
        made = t.put("MatMul", [x, weight])
        if bias:
            made = t.put("Add", [made, bias[0]])
    if (*shape[:-1], outputs) == y:
        t.give(o, made)
    else:
        t.give_as_filed(o, made)


def batch_matmul(t: Translation, o: Operator) -> None:
    """BATCH_MATMUL, either operand transposed."""
    operands: list[ir.Value] = []
    for place, option in enumerate(("AdjX", "AdjY")):
        value, rank = t.read(o, place), len(t.tensor(o, place).shape)
        if o.options.get(option, False):
            value = t.put("Transpose", [value], perm=[*range(rank - 2), rank - 1, rank - 2])
        operands.append(value)
    t.give(o, t.put("MatMul", operands))


def _window(o: Operator) -> dict:
    a = o.options
    return {
        "strides": [a.get("StrideH", 1), a.get("StrideW", 1)],
        "auto_pad": "SAME_UPPER" if a.get("Padding", _SAME) == _SAME else "VALID",
    }


def _bias(t: Translation, o: Operator, place: int = 2) -> list[ir.Value]:
    if not t.has(o, place):
        return []
    return [t.constant(t.array(o, place).reshape(-1), f"{_layer(t, o)}.bias")]


def _layer(t: Translation, o: Operator) -> str:
    return layer_name(t.file, o)


_WORDS = (
    "Conv2D",
    "Conv1D",
    "depthwise",
    "MatMul",
    "Tensordot",
    "conv2d_transpose",
    "BiasAdd",
    "Conv2DBackpropInput",
)


def layer_name(file: TfliteFile, o: Operator) -> str:
    """What a layer is called: the path of what became it, or else its operator and place.

    Converters give a constant the names of all that was merged into it, with semicolons between them.
    """
    numbers = [*o.inputs[1:], *o.outputs]
    parts = [part for n in numbers if n >= 0 for part in file.tensors[n].name.split(";")]
    for word in _WORDS:
        for part in parts:
            path = part.split(f"/{word}")[0]
            if path != part and path:
                return path.replace(",", "_")
    return f"{o.code.lower()}_{o.number}"
