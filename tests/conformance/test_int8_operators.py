"""Each operator by itself, in drawn formats, computes the integers of the runtime that a program names."""

import numpy as np
import pytest

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from hypothesis import given, settings
from hypothesis import strategies as st
from int8_runtimes import NAMES, different
from random_networks import examples
from tflite_files import Draft

from stepforward.sources.tflite.file import parse

SAMPLES = 4
LARGEST = 0.5
"""Of the scale of an output: the loss of a program takes no logits in steps of more."""

scales = st.floats(0.004, LARGEST).map(lambda value: float(np.float32(value)))
points = st.integers(-128, 127)
activations = st.sampled_from([0, 1, 2, 3])


class Operator:
    """A file of one operator, made of what hypothesis draws."""

    def __init__(self, data):
        self.draw, self.draft = data.draw, Draft()
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1)))
        self.inputs = []

    def input(self, shape, scale=None, point=None):
        scale = self.draw(scales) if scale is None else scale
        point = self.draw(points) if point is None else point
        self.inputs.append(self.draft.activation(f"x{len(self.inputs)}", (1, *shape), scale, point))
        return self.inputs[-1], scale, point

    def output(self, shape, scale, point=None):
        point = self.draw(points) if point is None else point
        return self.draft.activation("y", (1, *shape), scale, point)

    def layer(self, code, x, x_scale, weight_shape, axis, out_shape, per_channel, **options):
        """An operator with weights, its output in a scale that its sums fill."""
        count = weight_shape[axis]
        w_scale = self.rng.uniform(0.0002, 0.002, count if per_channel else 1).astype(np.float32)
        weight = self.rng.integers(-127, 128, weight_shape).astype(np.int8)
        fan = weight.size // count
        bias = self.rng.integers(-3000, 3000, count).astype(np.int32)
        reach = np.float32(x_scale) * w_scale.max() * 5000 * np.sqrt(fan) / 127
        scale = min(float(np.float32(reach * self.draw(st.floats(0.3, 3.0)))), LARGEST)
        if per_channel:
            self.extremes(np.float32(scale / x_scale), w_scale, bias)
        w = self.draft.constant("w", weight, w_scale, axis=axis)
        b = self.draft.constant("b", bias, np.float32(x_scale) * w_scale)
        y = self.output(out_shape, scale)
        self.draft.operator(code, [x, w, b], [y], FusedActivationFunction=self.draw(activations), **options)
        return y

    def extremes(self, one, w_scale, bias):
        """Channels as published files have them: some say nothing, others move their output by half a step or more.

        `one`: the scale of weights with which sums are steps of the output.
        """
        kinds = self.draw(st.lists(st.sampled_from(["usual", "quiet", "loud"]), max_size=len(w_scale)))
        for channel, kind in enumerate(kinds):
            if kind == "quiet":
                w_scale[channel] = one * np.float32(2.0 ** -self.draw(st.integers(24, 31)))
                bias[channel] = self.draw(st.sampled_from([-1, 1])) * 2**30
            elif kind == "loud":
                w_scale[channel] = one * np.float32(self.draw(st.floats(0.5, 0.99)))

    def check(self, runtime, outputs):
        """No integer differs; an operator with one input reads it directly."""
        (x,) = self.inputs
        file = parse(self.draft.content([x], [outputs]), "m")
        shape = file.tensors[x].shape[1:]
        values = self.rng.integers(-128, 128, (SAMPLES, *shape)).astype(np.int8)
        wrong, count = different(file, runtime, values)
        assert wrong == 0 and count > 0


def window(data, sizes, dilated=True):
    """Drawn options of a window over an image of (height, width), and how many positions it has."""
    kernel = [data.draw(st.integers(1, min(4, size))) for size in sizes]
    stride = [data.draw(st.integers(1, 3)) for _ in sizes]
    most = [1 if k == 1 else (size - 1) // (k - 1) for size, k in zip(sizes, kernel, strict=True)]
    apart = [
        data.draw(st.integers(1, min(2, m))) if dilated and min(stride) == max(stride) == 1 else 1
        for m in most
    ]
    spread = [(k - 1) * d + 1 for k, d in zip(kernel, apart, strict=True)]
    same = data.draw(st.booleans())
    places = [
        -(-size // step) if same else (size - wide) // step + 1
        for size, step, wide in zip(sizes, stride, spread, strict=True)
    ]
    options = {"Padding": 0 if same else 1, "StrideH": stride[0], "StrideW": stride[1]}
    if dilated:
        options |= {"DilationHFactor": apart[0], "DilationWFactor": apart[1]}
    return kernel, places, options


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_convolutions(runtime, data):
    made = Operator(data)
    height, width = data.draw(st.integers(2, 7)), data.draw(st.integers(2, 7))
    channels, outputs = data.draw(st.integers(1, 9)), data.draw(st.sampled_from([*range(1, 10), 16, 19, 33]))
    kernel, places, options = window(data, (height, width))
    x, scale, _ = made.input((height, width, channels))
    if data.draw(st.booleans()):
        shape = (outputs, *kernel, channels)
        y = made.layer("CONV_2D", x, scale, shape, 0, (*places, outputs), True, **options)
    else:
        many = data.draw(st.integers(1, 3))
        shape = (1, *kernel, channels * many)
        options["DepthMultiplier"] = many
        y = made.layer("DEPTHWISE_CONV_2D", x, scale, shape, 3, (*places, channels * many), True, **options)
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_fully_connected(runtime, data):
    made = Operator(data)
    size, outputs = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 17))
    x, scale, _ = made.input((size,))
    per_channel = data.draw(st.booleans())
    made.check(runtime, made.layer("FULLY_CONNECTED", x, scale, (outputs, size), 0, (outputs,), per_channel))


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_pools(runtime, data):
    made = Operator(data)
    sizes = data.draw(st.integers(2, 9)), data.draw(st.integers(2, 9))
    channels = data.draw(st.integers(1, 18))
    kernel, places, options = window(data, sizes, dilated=False)
    x, scale, point = made.input((*sizes, channels))
    y = made.output((*places, channels), scale, point)
    code = data.draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    options |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    made.draft.operator(code, [x], [y], FusedActivationFunction=data.draw(activations), **options)
    made.check(runtime, y)


# XNNPACK adds the zero point to a mean before it rounds, which no program does: at a half it may differ
@pytest.mark.parametrize("runtime", ["tflm", "litert-ref"])
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_means(runtime, data):
    made = Operator(data)
    height, width, channels = (data.draw(st.integers(1, 9)) for _ in range(3))
    x, scale, point = made.input((height, width, channels))
    same = data.draw(st.booleans())
    y_scale = scale if same else min(float(np.float32(scale * data.draw(st.floats(0.2, 1.5)))), LARGEST)
    y = made.output((channels,), y_scale, point if same else None)
    axes = made.draft.constant("axes", np.array([1, 2], np.int32))
    made.draft.operator("MEAN", [x, axes], [y], KeepDims=False)
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_sums_and_products(runtime, data):
    """Of a tensor and its largest neighbours: one input feeds both sides."""
    made = Operator(data)
    x, scale, point = made.input((6, 5, 7))
    pooled = made.draft.activation("pooled", (1, 6, 5, 7), scale, point)
    made.draft.operator(
        "MAX_POOL_2D", [x], [pooled], Padding=0, StrideW=1, StrideH=1, FilterWidth=2, FilterHeight=2
    )
    other = made.draft.activation("other", (1, 6, 5, 7), data.draw(scales), data.draw(points))
    w = made.rng.integers(-127, 128, (1, 1, 1, 7)).astype(np.int8)
    b = made.draft.constant("b", np.zeros(7, np.int32), scale * np.full(7, 0.01))
    plain = {"Padding": 0, "StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1}
    made.draft.operator(
        "DEPTHWISE_CONV_2D", [x, made.draft.constant("w", w, np.full(7, 0.01), axis=3), b], [other],
        DepthMultiplier=1, **plain,
    )  # fmt: skip
    # XNNPACK adds in one rounding of 21-bit multipliers, which no program has: near a half it may differ
    codes = ["MUL"] if runtime == "litert" else ["ADD", "MUL"]
    code, fused = data.draw(st.sampled_from(codes)), data.draw(activations)
    other_scale = float(np.float32(made.draft.tensors[other][3][0]))
    reach = (scale + other_scale) if code == "ADD" else scale * other_scale * 80
    y = made.output((6, 5, 7), min(float(np.float32(reach * data.draw(st.floats(0.4, 2.0)))), LARGEST))
    made.draft.operator(code, [pooled, other], [y], FusedActivationFunction=fused)
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_product_of_an_image_and_its_channels(runtime, data):
    """As squeeze-and-excitation has it: (H, W, C) times (1, 1, C)."""
    made = Operator(data)
    x, scale, point = made.input((4, 5, 7))
    pooled = made.draft.activation("pooled", (1, 1, 1, 7), scale, point)
    whole = {"Padding": 1, "StrideW": 1, "StrideH": 1, "FilterWidth": 5, "FilterHeight": 4}
    made.draft.operator("AVERAGE_POOL_2D", [x], [pooled], **whole)
    y = made.output((4, 5, 7), min(float(np.float32(scale * scale * 80)), LARGEST))
    made.draft.operator("MUL", [x, pooled], [y], FusedActivationFunction=0)
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_what_moves_integers(runtime, data):
    """Pad, join with itself along an axis, and reshape."""
    made = Operator(data)
    height, width, channels = (data.draw(st.integers(1, 5)) for _ in range(3))
    x, scale, point = made.input((height, width, channels))
    pads = np.array([[0, 0], *([data.draw(st.integers(0, 2)) for _ in range(2)] for _ in range(2)), [0, 0]])
    grown = height + pads[1].sum(), width + pads[2].sum(), channels
    padded = made.draft.activation("padded", (1, *grown), scale, point)
    made.draft.operator("PAD", [x, made.draft.constant("pads", pads.astype(np.int32))], [padded])
    axis = data.draw(st.integers(1, 3))
    joined = made.draft.activation(
        "joined", (1, *(s * (2 if a == axis else 1) for a, s in enumerate(grown, 1))), scale, point
    )
    made.draft.operator("CONCATENATION", [padded, padded], [joined], Axis=axis, FusedActivationFunction=0)
    size = 2 * int(np.prod(grown))
    y = made.output((size,), scale, point)
    shape = made.draft.constant("shape", np.array([1, size], np.int32))
    made.draft.operator("RESHAPE", [joined, shape], [y])
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(20), deadline=None)
@given(data=st.data())
def test_functions_of_one_value(runtime, data):
    """Of all 256 values there are."""
    made = Operator(data)
    x, _, _ = made.input((256,))
    code = data.draw(st.sampled_from(["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU"]))
    scale, point = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(
        code, (data.draw(scales), data.draw(points))
    )
    slope = {"Alpha": data.draw(st.floats(-1, 1, width=32))} if code == "LEAKY_RELU" else {}
    y = made.output((256,), scale, point)
    made.draft.operator(code, [x], [y], **slope)
    made.rng = Every()
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("slope", [0.0, 0.25, 0.5, -0.5, -0.25])
@pytest.mark.parametrize("scale", [0.5, 0.1])
def test_slopes_whose_products_end_in_halves(runtime, slope, scale):
    """There it shows whether ratios are worked out in 32 bits or in 64."""
    for ratio in (0.75, 1.5, 1.25, 3.0):
        draft = Draft()
        x = draft.activation("x", (1, 256), float(np.float32(scale)), 0)
        y = draft.activation("y", (1, 256), float(np.float32(scale / ratio)), 0)
        draft.operator("LEAKY_RELU", [x], [y], Alpha=slope)
        file = parse(draft.content([x], [y]), "m")
        wrong, count = different(file, runtime, Every.integers(-128, 128, (1, 256)).astype(np.int8))
        assert wrong == 0 and count > 0


class Every:
    """In place of random samples: every value of a byte."""

    @staticmethod
    def integers(low, high, shape):
        return np.broadcast_to(np.arange(low, high), shape)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(20), deadline=None)
@given(data=st.data())
def test_sums_differences_and_products_with_a_number(runtime, data):
    made = Operator(data)
    x, scale, _ = made.input((256,))
    number = np.full(
        data.draw(st.sampled_from([(), (1,), (1, 1)])), data.draw(st.integers(-128, 127)), np.int8
    )
    c_scale = data.draw(scales)
    c = made.draft.constant("c", number, c_scale, data.draw(points))
    code = data.draw(st.sampled_from(["ADD", "SUB", "MUL"]))
    reach = scale * c_scale * 80 if code == "MUL" else scale + c_scale
    y = made.output((256,), min(float(np.float32(reach * data.draw(st.floats(0.4, 2.0)))), LARGEST))
    inputs = [c, x] if data.draw(st.booleans()) else [x, c]
    made.draft.operator(code, inputs, [y], FusedActivationFunction=data.draw(activations))
    made.rng = Every()
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_a_product_with_a_number_for_each_channel(runtime, data):
    made = Operator(data)
    sizes = data.draw(st.sampled_from([(7,), (5, 7), (3, 4, 7)]))
    x, scale, _ = made.input(sizes)
    c_scale = data.draw(scales)
    values = made.rng.integers(-128, 128, (7,)).astype(np.int8)
    c = made.draft.constant("c", values, c_scale, data.draw(points))
    y = made.output(
        sizes, min(float(np.float32(scale * c_scale * 80 * data.draw(st.floats(0.4, 2.0)))), LARGEST)
    )
    made.draft.operator("MUL", [x, c], [y], FusedActivationFunction=data.draw(activations))
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(15), deadline=None)
@given(data=st.data())
def test_slices(runtime, data):
    """Every axis cut, in steps, also to one place that then has no axis."""
    made = Operator(data)
    sizes = [data.draw(st.integers(1, 6)) for _ in range(data.draw(st.integers(1, 3)))]
    x, scale, point = made.input(tuple(sizes))
    first = [0, *(data.draw(st.integers(0, size - 1)) for size in sizes)]
    last = [1, *(data.draw(st.integers(at + 1, size)) for at, size in zip(first[1:], sizes, strict=True))]
    code = data.draw(st.sampled_from(["SLICE", "STRIDED_SLICE"]))
    steps, gone = [1] * len(first), 0
    if code == "STRIDED_SLICE":
        steps = [1, *(data.draw(st.integers(1, 3)) for _ in sizes)]
        gone = data.draw(st.integers(0, len(sizes) - 1)) if len(sizes) > 1 else 0
    counts = [-(-(b - a) // s) for a, b, s in zip(first, last, steps, strict=True)]
    if gone:
        counts[gone] = 1
    shape = [n for axis, n in enumerate(counts) if axis and axis != gone]
    y = made.output(tuple(shape), scale, point)
    third = [b - a for a, b in zip(first, last, strict=True)]
    if code == "SLICE":
        lists, options = (first, third), {}
    else:
        lists, options = (first, last, steps), {"ShrinkAxisMask": 1 << gone if gone else 0}
    constants = [made.draft.constant(f"c{i}", np.array(v, np.int32)) for i, v in enumerate(lists)]
    made.draft.operator(code, [x, *constants], [y], **options)
    made.check(runtime, y)


@pytest.mark.parametrize("runtime", NAMES)
@settings(max_examples=examples(10), deadline=None)
@given(data=st.data())
def test_transposes(runtime, data):
    made = Operator(data)
    sizes = [data.draw(st.integers(1, 5)) for _ in range(data.draw(st.integers(2, 3)))]
    x, scale, point = made.input(tuple(sizes))
    order = data.draw(st.permutations(range(1, len(sizes) + 1)))
    y = made.output(tuple(sizes[axis - 1] for axis in order), scale, point)
    made.draft.operator("TRANSPOSE", [x, made.draft.constant("p", np.array([0, *order], np.int32))], [y])
    made.check(runtime, y)
