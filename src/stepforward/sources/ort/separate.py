"""Fused operators (QLinearConv, QGemm, ...) as the three that each stands for: dequantize, compute, quantize.

A file in QDQ form has them so already; this makes one form of both, which is never written.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from stepforward.errors import StepforwardError
from stepforward.sources.ort.file import constant_of

_UNARY = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
_BINARY = {"QLinearAdd": "Add", "QLinearMul": "Mul"}
_MOVES = ("MaxPool", "Pad", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity")
_OWN = ("channels_last", "opset")
"""Attributes that the plain operator does not have."""


def separate(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, frozenset[str]]:
    """The model without fused operators.

    Returns:
        A copy, and the outputs of those nodes that were fused: ONNX Runtime computes them in integers everywhere.

    Raises:
        StepforwardError: channels come last in one of them, as in files that ONNX Runtime has optimized.
    """
    separated = _Separated(proto)
    for node in proto.graph.node:
        separated.take(node)
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    del made.graph.node[:]
    made.graph.node.extend(separated.nodes)
    made.graph.initializer.extend(separated.scales)
    return made, frozenset(separated.fused)


class _Separated:
    """The nodes so far, and the format of every tensor of integers: names of scale and zero point, "" for none."""

    def __init__(self, proto: onnx.ModelProto):
        self.proto = proto
        self.nodes: list[onnx.NodeProto] = []
        self.scales: list[onnx.TensorProto] = []
        self.steps: dict[str, tuple[str, str]] = {}
        self.fused: set[str] = set()

    def take(self, node: onnx.NodeProto) -> None:
        inputs = [*node.input, "", "", ""]
        if node.op_type == "QuantizeLinear":
            self.steps[node.output[0]] = inputs[1], inputs[2]
        elif node.op_type == "DequantizeLinear":
            self.steps.setdefault(inputs[0], (inputs[1], inputs[2]))
        fused = {
            "QLinearConv": self.conv,
            "QGemm": self.gemm,
            "QLinearMatMul": self.matmul,
            "QLinearConcat": self.concat,
            **dict.fromkeys(_BINARY, self.binary),
            **dict.fromkeys(_UNARY, self.unary),
        }.get(node.op_type)
        if fused is not None:
            if any(a.name == "channels_last" and a.i for a in node.attribute):
                raise StepforwardError(
                    f"{node.op_type} node {node.name or node.output[0]!r} has its channels last, as in a file that "
                    "ONNX Runtime has optimized",
                    "give the file as it was quantized",
                )
            self.fused.add(node.output[0])
            fused(node, inputs)
        elif node.op_type in _MOVES and inputs[0] in self.steps:
            self.move(node, inputs)
        else:
            self.nodes.append(_of_onnx(node))

    def read(self, node: onnx.NodeProto, name: str, scale: str, zero: str, axis: int = 1) -> str:
        """A DequantizeLinear before a node; returns what it writes."""
        made = f"{name}, as {node.output[0]} reads it ({len(self.nodes)})"
        inputs = [name, scale, zero] if zero else [name, scale]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [made], axis=axis))
        return made

    def write(self, node: onnx.NodeProto, op_type: str, inputs: Sequence[str], scale: str, zero: str) -> None:
        """The plain operator, and a QuantizeLinear unless its result stays real."""
        real = f"{node.output[0]}, real" if scale else node.output[0]
        plain = helper.make_node(op_type, inputs, [real], node.name)
        plain.attribute.extend(a for a in node.attribute if a.name not in _OWN)
        self.nodes.append(plain)
        if scale:
            written = [real, scale, zero] if zero else [real, scale]
            self.nodes.append(helper.make_node("QuantizeLinear", written, node.output[:1]))
            self.steps[node.output[0]] = scale, zero

    def move(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        """What moves integers, between a reading and a writing of the same format."""
        scale, zero = self.steps[inputs[0]]
        moved = [self.read(node, inputs[0], scale, zero), *node.input[1:]]
        if node.op_type == "Pad" and inputs[2]:
            moved[2] = self.read(node, inputs[2], scale, zero)
        self.write(node, node.op_type, moved, scale, zero)

    def conv(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        x, xs, xz, w, ws, wz, ys, yz, bias, *_ = inputs
        read = [self.read(node, x, xs, xz), self.read(node, w, ws, wz, 0), *self.bias(node, bias, xs, ws)]
        self.write(node, "Conv", read, ys, yz)

    def gemm(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        x, xs, xz, w, ws, wz, bias, ys, yz, *_ = [*inputs, "", ""]
        axis = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
        read = [self.read(node, x, xs, xz), self.read(node, w, ws, wz, axis), *self.bias(node, bias, xs, ws)]
        self.write(node, "Gemm", read, ys, yz)

    def matmul(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        x, xs, xz, w, ws, wz, ys, yz, *_ = inputs
        self.write(node, "MatMul", [self.read(node, x, xs, xz), self.read(node, w, ws, wz)], ys, yz)

    def binary(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        a, sa, za, b, sb, zb, sy, zy, *_ = inputs
        self.write(
            node, _BINARY[node.op_type], [self.read(node, a, sa, za), self.read(node, b, sb, zb)], sy, zy
        )

    def unary(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        x, xs, xz, ys, yz, *_ = inputs
        self.write(node, _UNARY[node.op_type], [self.read(node, x, xs, xz)], ys, yz)

    def concat(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        ys, yz, *parts = node.input
        read = [self.read(node, *parts[at : at + 3]) for at in range(0, len(parts) - 2, 3)]
        self.write(node, "Concat", read, ys, yz)

    def bias(self, node: onnx.NodeProto, bias: str, x: str, w: str) -> list[str]:
        """The reading of a bias, whose scale is that of input times weight."""
        if not bias:
            return []
        scales = [constant_of(self.proto, name) for name in (x, w)]
        if None in scales:
            raise StepforwardError(
                f"the scale of {bias!r} is computed", "give a file whose scales are constants"
            )
        first, second = (numpy_helper.to_array(scale) for scale in scales if scale is not None)
        product = (first.reshape(-1)[:1] * second.reshape(-1)).astype(np.float32)
        name = f"{bias}, its scale in {node.output[0]}"
        self.scales.append(
            numpy_helper.from_array(product.reshape(()) if product.size == 1 else product, name)
        )
        return [self.read(node, bias, name, "", 0)]


def _of_onnx(node: onnx.NodeProto) -> onnx.NodeProto:
    """ONNX's own operator in the place of ONNX Runtime's of the same name."""
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or not node.domain:
        return node
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.domain = ""
    return made
