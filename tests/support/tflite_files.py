"""TensorFlow Lite files made up tensor by tensor, with the schema package."""

import numpy as np

from stepforward.bench.tflite_draft import Draft


def small(rng=None, classes=3, channels=2, scale=0.05, zero_point=-128):
    """A file with a convolution, a depthwise one, an addition, a mean, a fully connected layer and a softmax, over
    images (8, 8, channels)."""
    rng = np.random.default_rng(0) if rng is None else rng
    draft = Draft()
    x = draft.activation("image", (1, 8, 8, channels), scale, zero_point)

    def weight(name, shape, axis):
        return draft.constant(
            name,
            rng.integers(-127, 128, shape).astype(np.int8),
            rng.uniform(0.01, 0.02, shape[axis]),
            axis=axis,
        )

    def bias(name, count):
        return draft.constant(name, rng.integers(-900, 900, count).astype(np.int32), np.full(count, 1e-3))

    window = {"StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1, "Padding": 0}
    y = draft.activation("conv", (1, 4, 4, 6), 0.3, -128)
    inputs = [x, weight("conv/w", (6, 3, 3, channels), 0), bias("conv/b", 6)]
    draft.operator(
        "CONV_2D", inputs, [y], **{**window, "StrideW": 2, "StrideH": 2}, FusedActivationFunction=1
    )
    z = draft.activation("depthwise", (1, 4, 4, 6), 0.4, 3)
    draft.operator(
        "DEPTHWISE_CONV_2D",
        [y, weight("dw/w", (1, 3, 3, 6), 3), bias("dw/b", 6)],
        [z],
        **window,
        DepthMultiplier=1,
    )
    a = draft.activation("sum", (1, 4, 4, 6), 0.5, -5)
    draft.operator("ADD", [y, z], [a], FusedActivationFunction=0)
    m = draft.activation("mean", (1, 6), 0.2, 0)
    draft.operator("MEAN", [a, draft.constant("axes", np.array([1, 2], np.int32))], [m])
    logits = draft.activation("logits", (1, classes), 0.1, 4)
    w = draft.constant("dense/w", rng.integers(-127, 128, (classes, 6)).astype(np.int8), 0.02)
    b = draft.constant("dense/b", rng.integers(-900, 900, classes).astype(np.int32), 0.2 * 0.02)
    draft.operator("FULLY_CONNECTED", [m, w, b], [logits], FusedActivationFunction=0)
    end = draft.activation("softmax", (1, classes), 1 / 256, -128)
    draft.operator("SOFTMAX", [logits], [end], Beta=1.0)
    return draft, x, end


def constants(rng=None):
    """A file whose operators are functions of one value, products with constants, slices and a transpose, over images
    (6, 5, 4): three logits."""
    rng = np.random.default_rng(0) if rng is None else rng
    draft = Draft()
    x = draft.activation("image", (1, 6, 5, 4), 0.05, -3)
    steps = iter(range(100))

    def after(code, inputs, shape, scale=0.05, zero_point=-3, **options):
        y = draft.activation(f"y{next(steps)}", shape, scale, zero_point)
        draft.operator(code, inputs, [y], **options)
        return y

    def numbers(*values):
        return draft.constant(f"c{next(steps)}", np.array(values, np.int32))

    four = draft.constant("factors", rng.integers(-128, 128, 4).astype(np.int8), 0.01, 7)
    y = after("HARD_SWISH", [x], (1, 6, 5, 4))
    y = after("MUL", [y, four], (1, 6, 5, 4), FusedActivationFunction=1)
    y = after(
        "SUB", [draft.constant("one", np.int8([100]), 0.01), y], (1, 6, 5, 4), FusedActivationFunction=0
    )
    y = after("LEAKY_RELU", [y], (1, 6, 5, 4), Alpha=0.25)
    y = after("TRANSPOSE", [y, numbers(0, 2, 1, 3)], (1, 5, 6, 4))
    y = after("SLICE", [y, numbers(0, 1, 0, 1), numbers(1, 3, -1, 2)], (1, 3, 6, 2))
    y = after(
        "STRIDED_SLICE", [y, numbers(0, 0, 1, 0), numbers(1, 1, 6, 2), numbers(1, 1, 2, 1)], (1, 3, 2),
        ShrinkAxisMask=2,
    )  # fmt: skip
    y = after("RESHAPE", [y, numbers(1, 6)], (1, 6))
    y = after("TANH", [y], (1, 6), 1 / 128, 0)
    w = draft.constant("w", rng.integers(-127, 128, (3, 6)).astype(np.int8), 0.02)
    b = draft.constant("b", rng.integers(-900, 900, 3).astype(np.int32), 0.02 / 128)
    logits = draft.activation("logits", (1, 3), 0.1, 4)
    draft.operator("FULLY_CONNECTED", [y, w, b], [logits], FusedActivationFunction=0)
    return draft, x, logits


class Floats(Draft):
    """A float file to be, whose operators follow each other."""

    def __init__(self, shape, seed=0):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.first = self.last = self.activation("x", shape, dtype="float32")

    @property
    def shape(self):
        return self.tensors[self.last][1]

    def weights(self, *shape):
        return self.constant(f"w{len(self.tensors)}", self.rng.normal(0, 0.5, shape).astype(np.float32))

    def integers(self, *values):
        return self.constant(f"i{len(self.tensors)}", np.array(values, np.int32))

    def then(self, code, shape, *others, before=(), **options):
        """An operator that reads `before`, what came last, and `others`."""
        made = self.activation(f"y{len(self.tensors)}", shape, dtype="float32")
        self.operator(code, [*before, self.last, *others], [made], **options)
        self.last = made
        return self

    def done(self):
        """The file, which ends with one axis besides the batch."""
        size = int(np.prod(self.shape))
        if self.shape != (1, size):
            self.then("RESHAPE", (1, size), self.integers(1, size))
        return self.content([self.first], [self.last])


def floats():
    """A float file with a convolution, a sum, a pool, a slice, a mean and a fully connected layer, over images
    (8, 8, 2): three logits."""
    window = {"DilationHFactor": 1, "DilationWFactor": 1, "StrideH": 2, "StrideW": 2, "Padding": 0}
    draft = Floats((1, 8, 8, 2))
    draft.then(
        "CONV_2D",
        (1, 4, 4, 8),
        draft.weights(8, 3, 3, 2),
        draft.weights(8),
        FusedActivationFunction=1,
        **window,
    )
    image = draft.last
    draft.then("TANH", (1, 4, 4, 8)).then("ADD", (1, 4, 4, 8), image, FusedActivationFunction=0)
    draft.then("MAX_POOL_2D", (1, 4, 4, 8), FilterHeight=2, FilterWidth=2, StrideH=1, StrideW=1, Padding=0)
    draft.then("SLICE", (1, 3, 4, 8), draft.integers(0, 1, 0, 0), draft.integers(1, -1, 4, 8))
    draft.then("MEAN", (1, 8), draft.integers(1, 2))
    return draft.then(
        "FULLY_CONNECTED", (1, 3), draft.weights(3, 8), draft.weights(3), FusedActivationFunction=0
    )
