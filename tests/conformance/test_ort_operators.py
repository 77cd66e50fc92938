"""Each operator by itself, in drawn formats, computes the integers of ONNX Runtime."""

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from random_networks import examples

pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

from ort_files import different

from stepforward.sources.ort.file import parse

SAMPLES = 8
LARGEST = 0.5
"""Of the scale of an output: the loss of a program takes no logits in steps of more."""

scales = st.floats(0.004, LARGEST).map(lambda value: float(np.float32(value)))
types = st.sampled_from(["u8", "s8"])


class Operator:
    """A file of one operator in QDQ form, or as a QLinear operator, made of what hypothesis draws."""

    def __init__(self, data, types=types):
        self.draw = data.draw
        self.type = self.draw(types)
        self.dtype = np.uint8 if self.type == "u8" else np.int8
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1)))
        self.constants, self.before, self.inputs = [], [], []

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def format(self, name, scale=None, point=None):
        """Scale and zero point of a tensor, as constants."""
        low = 0 if self.type == "u8" else -128
        scale = self.draw(scales) if scale is None else scale
        point = self.draw(st.integers(low, low + 255)) if point is None else point
        self.steps = scale, point
        return [self.constant(f"{name}.s", np.float32(scale)), self.constant(f"{name}.z", self.dtype(point))]

    def input(self, name, shape, **format):
        """An activation that the file reads, and dequantizes."""
        self.inputs.append((name, shape))
        steps = self.format(name, **format)
        self.before.append(helper.make_node("DequantizeLinear", [name, *steps], [f"{name}.real"]))
        return f"{name}.real"

    def weights(self, x_scale, shape, axis, per_channel, outputs):
        """A weight and a bias, dequantized; how far sums reach."""
        w_scale = self.rng.uniform(0.0002, 0.002, outputs if per_channel else 1).astype(np.float32)
        weight = self.rng.integers(-127, 128, shape).astype(np.int8)
        bias = self.rng.integers(-3000, 3000, outputs).astype(np.int32)
        steps = w_scale if per_channel else w_scale.reshape(())
        names = [
            self.constant("w", weight),
            self.constant("w.s", steps),
            self.constant("w.z", np.zeros_like(steps, np.int8)),
        ]
        self.before.append(helper.make_node("DequantizeLinear", names, ["w.real"], axis=axis))
        names = [self.constant("b", bias), self.constant("b.s", np.float32(x_scale) * steps)]
        self.before.append(helper.make_node("DequantizeLinear", names, ["b.real"], axis=0))
        reach = np.float32(x_scale) * w_scale.max() * 5000 * np.sqrt(weight.size // outputs) / 127
        return ["w.real", "b.real"], min(float(np.float32(reach * self.draw(st.floats(0.3, 3.0)))), LARGEST)

    def file(self, op_type, inputs, output, shape, opset=17, between=(), **attributes):
        """The file: the operator, `between` (op_type, inputs) after it, and the format of its output."""
        fused = op_type.startswith("QLinear")
        made, inputs = ("y", [*inputs, *output]) if fused else ("y.real", inputs)
        attributes |= {"domain": "com.microsoft"} if fused else {}
        nodes = [*self.before, helper.make_node(op_type, inputs, [made], "operator", **attributes)]
        last = "y.real"
        for number, (kind, more) in enumerate(between):
            nodes.append(helper.make_node(kind, [last, *more], [f"y.{number}"], f"after{number}"))
            last = f"y.{number}"
        nodes += [] if fused else [helper.make_node("QuantizeLinear", [last, *output], ["y"])]
        nodes.append(helper.make_node("DequantizeLinear", ["y", *output], ["z"]))
        graph = helper.make_graph(
            nodes, "one", [self.value(name, size) for name, size in self.inputs],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [SAMPLES, *shape])], self.constants,
        )  # fmt: skip
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.checker.check_model(proto)
        return parse(proto.SerializeToString(), "m")

    def value(self, name, shape):
        kind = TensorProto.UINT8 if self.type == "u8" else TensorProto.INT8
        return helper.make_tensor_value_info(name, kind, [SAMPLES, *shape])

    def check(self, file):
        """Integers of the output that differ."""
        shape = self.inputs[0][1]
        low = 0 if self.type == "u8" else -128
        x = self.rng.integers(low, low + 256, (SAMPLES, *shape)).astype(self.dtype)
        wrong, count = different(file, x, self.type)["y"]
        assert count
        return wrong


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_convolution(data):
    one = Operator(data)
    channels, group = data.draw(st.sampled_from([(3, 1), (8, 1), (8, 2), (6, 6)]))
    outputs = data.draw(st.sampled_from([1, 2])) * max(group, 4 if group == 1 else group)
    kernel, stride, dilation = (data.draw(st.integers(1, 3)) for _ in range(3))
    pads = [data.draw(st.integers(0, 2)) for _ in range(4)]
    x = one.input("x", (channels, 9, 10))
    w, scale = one.weights(
        one.steps[0], (outputs, channels // group, kernel, kernel), 0, data.draw(st.booleans()), outputs
    )
    spread = (kernel - 1) * dilation + 1
    sizes = [(n + pads[i] + pads[i + 2] - spread) // stride + 1 for i, n in enumerate((9, 10))]
    attributes = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads, "group": group}
    file = one.file("Conv", [x, *w], one.format("y", scale), (outputs, *sizes), **attributes)
    assert one.check(file) == 0


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_fully_connected(data):
    one = Operator(data)
    size, outputs = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 12))
    x, turned = one.input("x", (size,)), data.draw(st.booleans())
    shape, axis = ((outputs, size), 0) if turned else ((size, outputs), 1)
    w, scale = one.weights(one.steps[0], shape, axis, data.draw(st.booleans()), outputs)
    product = data.draw(st.booleans()) and not turned
    output = one.format("y", scale)
    if product:
        file = one.file("MatMul", [x, w[0]], output, (outputs,))
    else:
        file = one.file("Gemm", [x, *w], output, (outputs,), transB=int(turned))
    assert one.check(file) == 0


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_mean_of_an_image(data):
    one = Operator(data)
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    x = one.input("x", (5, height, width))
    file = one.file("GlobalAveragePool", [x], one.format("y"), (5, 1, 1))
    assert one.check(file) == 0


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_largest_of_a_window(data):
    one = Operator(data)
    kernel, ceil = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    stride = data.draw(st.integers(1, kernel))
    x = one.input("x", (3, 8, 7))
    same = data.draw(st.booleans())
    output = ["x.s", "x.z"] if same else one.format("y")
    pads = [data.draw(st.integers(0, kernel - 1)) for _ in range(4)]
    around = [n + pads[i] + pads[i + 2] - kernel for i, n in enumerate((8, 7))]
    made = [(-(-n // stride) if ceil else n // stride) + 1 for n in around]
    assume(all((m - 1) * stride < n + pads[i] for i, (m, n) in enumerate(zip(made, (8, 7), strict=True))))
    attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads, "ceil_mode": int(ceil)}
    file = one.file("MaxPool", [x], output, (3, *made), **attributes)
    assert one.check(file) == 0


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_functions_and_changes_of_format(data):
    one = Operator(data)
    x = one.input("x", (40,))
    kind = data.draw(st.sampled_from(["Relu", "Clip", "LeakyRelu", "Identity"]))
    bounds, more = [], {}
    if kind == "Clip":
        bounds = [
            one.constant("lo", np.float32(data.draw(st.floats(-3, 0)))),
            one.constant("hi", np.float32(data.draw(st.floats(0, 9)))),
        ]
    if kind == "LeakyRelu":
        more = {"alpha": data.draw(st.sampled_from([0.01, 0.1, 0.2]))}
    file = one.file(kind, [x, *bounds], one.format("y"), (40,), **more)
    assert one.check(file) == 0


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_a_layer_with_a_bound_of_its_own(data):
    """Computed in float32 where its format does not make the bound redundant: a result near a half may differ."""
    one = Operator(data)
    x = one.input("x", (5, 6, 6))
    w, scale = one.weights(one.steps[0], (4, 5, 3, 3), 0, True, 4)
    point = data.draw(st.sampled_from([None, 0 if one.type == "u8" else -128]))
    file = one.file("Conv", [x, *w], one.format("y", scale, point), (4, 4, 4), between=[("Relu", [])])
    assert one.check(file) <= (0 if point is not None else 1)


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_padding_and_joining(data):
    one = Operator(data)
    x = one.input("x", (3, 5, 6))
    if data.draw(st.booleans()):
        pads = [
            0,
            *(data.draw(st.integers(0, 2)) for _ in range(3)),
            0,
            *(data.draw(st.integers(0, 2)) for _ in range(3)),
        ]
        filled = one.constant("filled", np.float32(data.draw(st.floats(-3, 3))))
        shape = [n + pads[i] + pads[i + 4] for i, n in enumerate((0, 3, 5, 6)) if i]
        file = one.file("Pad", [x, one.constant("pads", np.array(pads)), filled], ["x.s", "x.z"], shape)
    else:
        file = one.file("Concat", [x, x, x], one.format("y"), (9, 5, 6), axis=1)
    assert one.check(file) == 0


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_sums_and_products(data):
    """As QLinear operators: on which side of int8 and bytes one in QDQ form is, its readers say."""
    one = Operator(data)
    kind, both = data.draw(st.sampled_from(["QLinearAdd", "QLinearMul"])), data.draw(st.booleans())
    x = ["x", *one.format("x")]
    one.inputs.append(("x", (3, 5, 6)))
    a = ["a", *one.format("a")] if both else x
    if both:
        one.before.append(helper.make_node("DequantizeLinear", x, ["x.real"]))
        one.before.append(helper.make_node("QuantizeLinear", ["x.real", *a[1:]], ["a"]))
    output = one.format("y", min(float(np.float32(data.draw(scales) * 4)), LARGEST))
    file = one.file(kind, [*x, *a], output, (3, 5, 6))
    assert one.check(file) == 0


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_means_of_windows(data):
    """Where scales are powers of two: float32 is exact then, and half of the halves show where the zero point is."""
    one = Operator(data)
    power = st.integers(1, 7).map(lambda n: 2.0**-n)
    kernel, included = data.draw(st.sampled_from([(2, 2), (1, 4), (2, 4)])), data.draw(st.booleans())
    stride = data.draw(st.integers(1, 2))
    pads = [data.draw(st.integers(0, kernel[i % 2] - 1)) for i in range(4)] if included else [0] * 4
    x = one.input("x", (3, 8, 7), scale=data.draw(power))
    sizes = [(n + pads[i] + pads[i + 2] - kernel[i]) // stride + 1 for i, n in enumerate((8, 7))]
    attributes = {
        "kernel_shape": kernel,
        "strides": [stride] * 2,
        "pads": pads,
        "count_include_pad": int(included),
    }
    file = one.file("AveragePool", [x], one.format("y", data.draw(power)), (3, *sizes), **attributes)
    assert one.check(file) == 0
