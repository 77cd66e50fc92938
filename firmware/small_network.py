"""A small network for tests on microcontrollers: every operator kind, every weight type, and no file needed.

It has padding on one side only, groups, dilation, per-channel scales and zero points. Its numbers come from the
project's own generator, so they are the same everywhere and always.
"""

from dataclasses import replace
from math import prod, sqrt

import numpy as np

from stepforward.arithmetic.directions import direction
from stepforward.arithmetic.fixedpoint import add_multipliers, quantize_multiplier
from stepforward.operators.table import BY_KIND
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

SAMPLES, CLASSES, SHAPE = 8, 4, (12, 10, 1)
SEED = 20240229
SPREAD = 30
"""Standard deviation, in integers, that every activation is scaled to."""

WEIGHT_STEP = {"s16": 120, "s8": 1, "s4": 1 / 32}
"""Integers of a weight per integer of z, whose standard deviation is 36."""


def numbers(stream: int, count: int) -> np.ndarray:
    """Normal numbers on the grid of z (standard deviation 36), int64."""
    return direction("normal", SEED, 0, 0, stream, count)


class NetworkBuilder:
    """Collects tensors and operators; activations are numbered from 0 until `program` puts the parameters first."""

    def __init__(self, shape=SHAPE):
        self.parameters: list[Tensor] = []
        self.sections: list[bytes] = []
        self.activations = [Tensor("input", shape, "s8", (1 / SPREAD,), zero_point=-3, offset=-1)]
        self.ops: list[Op] = []

    def activation(self, shape, scale, zero_point=0, dtype="s8"):
        """Add an activation; returns its number."""
        name = f"activation{len(self.activations)}"
        self.activations.append(Tensor(name, tuple(shape), dtype, (scale,), zero_point))
        return len(self.activations) - 1

    def parameter(self, name, shape, dtype, scale, q, rule=("one", 1)):
        """Add a parameter with integers q, clipped to its type; returns its number."""
        offset = sum(len(section) for section in self.sections)
        tensor = Tensor(name, shape, dtype, scale, 0, offset, *rule)
        content = pack(tensor, np.clip(q, -tensor.q_max, tensor.q_max))
        self.parameters.append(tensor)
        self.sections.append(content + bytes(-len(content) % 4))
        return len(self.parameters) - 1

    def weighted(
        self,
        kind,
        x,
        y_shape,
        w_shape,
        dtype,
        channels=1,
        zero_point=0,
        y_scale=1 / SPREAD,
        out="s8",
        relu=False,
        weight_step=None,
        **fields,
    ):
        """A convolution or fully connected operator whose weights keep the standard deviation of their input."""
        source, name = self.activations[x], f"{kind}{len(self.ops)}"
        weight_step = weight_step or WEIGHT_STEP[dtype]
        q = np.rint(numbers(100 + len(self.parameters), prod(w_shape)) * weight_step).astype(np.int64)
        fan_in = prod(w_shape[:2]) if kind == "depthwise" else prod(w_shape[1:])
        step = 1 / (36 * weight_step * sqrt(fan_in))
        scale = tuple(step * (1 + c / (2 * channels)) for c in range(channels))
        rule = ("one", 1)
        if channels > 1:
            rule = ("modulo", channels) if kind == "depthwise" else ("divide", prod(w_shape) // channels)
        weight = self.parameter(f"{name}.weight", w_shape, dtype, scale, q, rule)
        bias_scale = tuple(source.scale[0] * s for s in scale)
        bias_q = np.rint(numbers(200 + len(self.parameters), y_shape[-1]) / 36 * 0.2 / bias_scale[0]).astype(
            np.int64
        )
        bias_rule = ("divide", 1) if channels > 1 else ("one", 1)
        bias = self.parameter(f"{name}.bias", (y_shape[-1],), "s32", bias_scale, bias_q, bias_rule)
        lo, hi = (-32768, 32767) if out == "s16" else (-128, 127)
        y = self.activation(y_shape, y_scale, zero_point, out)
        pairs = tuple(quantize_multiplier(s / y_scale) for s in bias_scale)
        what = BY_KIND[kind](rescale=pairs, lo=zero_point if relu else lo, hi=hi, **fields)
        self.ops.append(Op(name, what, (x,), y, weight, bias))
        return y

    def plain(self, kind, inputs, y, **fields):
        """Add an operator without parameters; returns y."""
        self.ops.append(Op(f"{kind}{len(self.ops)}", BY_KIND[kind](**fields), tuple(inputs), y))
        return y

    def program(self, name: str) -> Program:
        """The program of what was collected; the last activation is the logits."""
        first = len(self.parameters)
        ops = tuple(
            replace(op, inputs=tuple(first + i for i in op.inputs), output=first + op.output)
            for op in self.ops
        )
        return Program(
            tensors=(*self.parameters, *self.activations),
            ops=ops,
            input=first,
            output=ops[-1].output,
            parameter_count=first,
            weights=b"".join(self.sections),
            metadata={"name": name},
        )


def small_network() -> Program:
    """A residual, depthwise-separable network of 12x10 images and four classes, with every operator kind."""
    net = NetworkBuilder()
    stem = net.weighted(
        *("conv", 0, (6, 5, 8), (8, 3, 3, 1), "s16"), channels=8, zero_point=-100, relu=True,
        kernel=(3, 3), stride=(2, 2), padding=(0, 0, 1, 1),
    )  # fmt: skip
    wide = net.weighted(
        *("depthwise", stem, (6, 5, 8), (3, 3, 8), "s16"), channels=8, zero_point=5,
        kernel=(3, 3), padding=(1, 1, 1, 1),
    )  # fmt: skip
    point = net.weighted("conv", wide, (6, 5, 8), (8, 1, 1, 8), "s8", channels=8)
    ratios = [net.activations[i].scale[0] / (1.5 / SPREAD) for i in (stem, point)]
    total = net.activation((6, 5, 8), 1.5 / SPREAD, -90)
    net.plain("add", (stem, point), total, rescale=add_multipliers(*ratios), lo=-90)
    pooled = net.activation((3, 3, 8), 1.5 / SPREAD, -90)
    net.plain("max_pool", (total,), pooled, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 1))
    grouped = net.weighted(
        *("conv", pooled, (3, 3, 12), (12, 3, 3, 4), "s4"),
        kernel=(3, 3), padding=(2, 2, 2, 2), dilation=(2, 2), groups=2,
    )  # fmt: skip
    scale = net.activations[grouped].scale[0]
    smooth = net.activation((3, 3, 12), scale / 2, 7)
    pairs = tuple(quantize_multiplier(2 / n) for n in range(1, 5))
    net.plain("average_pool", (grouped,), smooth, kernel=(2, 2), padding=(1, 0, 0, 1), rescale=pairs)
    clipped = net.activation((3, 3, 12), scale, 7)
    net.plain("rescale", (grouped,), clipped, rescale=(quantize_multiplier(1.0),), lo=-50, hi=70)
    both = net.activation((3, 3, 24), scale, 0)
    halves = (quantize_multiplier(0.5), quantize_multiplier(1.0))
    net.plain("concat", (smooth, clipped), both, rescale=halves, axis=2)
    framed = net.activation((4, 3, 25), scale, 0)
    net.plain("pad", (both,), framed, padding=(1, 0, 0, 0), channels=(0, 1), value=-9)
    turned = net.activation((25, 4, 3), scale, 0)
    net.plain("transpose", (framed,), turned, permutation=(2, 0, 1))
    shaped = net.activation((4, 3, 25), scale, 0)
    net.plain("reshape", (turned,), shaped)
    mean = net.activation((1, 1, 25), scale / 6, 0)
    whole = {"kernel": (4, 3), "count_padding": True}
    net.plain("average_pool", (shaped,), mean, **whole, rescale=(quantize_multiplier(6 / 12),))
    hidden = net.weighted(
        *("fully_connected", mean, (16,), (16, 25), "s16"), zero_point=-128, y_scale=scale / 6, relu=True
    )
    net.weighted("fully_connected", hidden, (CLASSES,), (CLASSES, 16), "s16", y_scale=1 / 8192, out="s16")
    return net.program("microcontroller test")


def samples(shape: tuple = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """(x, y): int8 samples (SAMPLES, *shape), one noisy pattern per class, and int32 labels."""
    y = np.arange(SAMPLES, dtype=np.int32) % CLASSES
    size = prod(shape)
    patterns = numbers(1, CLASSES * size).reshape(CLASSES, size)
    noise = numbers(2, SAMPLES * size).reshape(SAMPLES, size)
    x = np.clip((3 * patterns[y] + 2 * noise) // 4, -128, 127).astype(np.int8)
    return x.reshape(SAMPLES, *shape), y
