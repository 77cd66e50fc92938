"""What works on one number at a time, or along the last axis."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator
from stepforward.sources.tflite.to_onnx.graph import Translation, axis_of

Translate = Callable[[Translation, Operator], None]


def elementwise(kind: str, **attributes) -> Translate:
    """What is one operator of ONNX on the same operands."""
    return written_as(lambda t, *values: t.put(kind, values, **attributes))


def between(low: float, high: float) -> Translate:
    """A clip."""
    return written_as(lambda t, x: t.clip(x, low, high))


def written_as(make: Callable[..., ir.Value]) -> Translate:
    """What several operators of ONNX give: `make` takes the translation and the operands."""

    def take(t: Translation, o: Operator) -> None:
        first = t.first(o)
        t.give(o, make(t, *(t.read(o, place, first) for place in range(len(o.inputs)))), first)

    return take


def rsqrt(t: Translation, x: ir.Value) -> ir.Value:
    """1 / sqrt(x)."""
    return t.put("Reciprocal", [t.put("Sqrt", [x])])


def square(t: Translation, x: ir.Value) -> ir.Value:
    """x^2."""
    return t.put("Mul", [x, x])


def squared_difference(t: Translation, a: ir.Value, b: ir.Value) -> ir.Value:
    """(a - b)^2."""
    return square(t, t.put("Sub", [a, b]))


def leaky_relu(t: Translation, o: Operator) -> None:
    """LEAKY_RELU."""
    elementwise("LeakyRelu", alpha=o.options.get("Alpha", 0.01))(t, o)


def gelu(t: Translation, o: Operator) -> None:
    """GELU."""
    elementwise("Gelu", approximate="tanh" if o.options.get("Approximate", False) else "none")(t, o)


def softmax(t: Translation, o: Operator) -> None:
    """SOFTMAX over the last axis, of what a factor may multiply."""
    first, rank, beta = t.first(o), len(t.output(o).shape), o.options.get("Beta", 1.0)
    x = t.read(o, first=first)
    if beta != 1.0:
        x = t.put("Mul", [x, t.constant(np.array(beta, np.float32), "beta")])
    t.give(o, t.put("Softmax", [x], axis=axis_of(-1, rank, first)), first)


def along_channels(kind: str) -> Translate:
    """What works along the last axis."""

    def take(t: Translation, o: Operator) -> None:
        first = t.first(o)
        axis = axis_of(-1, len(t.output(o).shape), first)
        t.give(o, t.put(kind, [t.read(o, first=first)], axis=axis), first)

    return take


def dequantize(t: Translation, o: Operator) -> None:
    """DEQUANTIZE of a constant: float16 or integers as float32."""
    if not t.is_constant(o, 0):
        raise UnreadableError("it reads computed integers: a file is float or int8 throughout")
    t.keep(o, t.array(o, 0).astype(np.float32))
