"""A small complete network: strided and padded convolutions, depthwise, residual add, pooling, flatten, two layers."""

from dataclasses import replace

import numpy as np
from loss_scale import loss_scale

from stepforward.lowering.lower import lower
from stepforward.network.network import Format, Network, Node, Parameter
from stepforward.operators.depthwise import Depthwise
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

CLASSES = 4
INPUT = (2, 9, 7)


def _parameter(rng, name, shape, dtype="s16", channels=0):
    q_max = {"s16": 32767, "s8": 127, "s4": 7}[dtype]
    real = 0.5 / q_max
    scale = tuple(real * (1 + 0.1 * c) for c in range(channels)) if channels else (real,)
    return Parameter(name, rng.integers(-q_max, q_max + 1, shape), dtype, scale)


def _bias(rng, name, x, weight):
    scale = tuple(x.scale * s for s in weight.scale)
    return Parameter(name, rng.integers(-20000, 20001, (weight.q.shape[0],)), "s32", scale)


def _window(kernel, stride=1, pads=(0, 0, 0, 0), **more):
    return {
        "kernel_shape": (kernel, kernel),
        "strides": (stride, stride),
        "pads": pads,
        "dilations": (1, 1),
        **more,
    }


def _layers(rng, nodes, formats, dtype="s16", per_channel=False):
    """A function that appends a layer with random parameters to `nodes`."""

    def layer(op_type, name, source, target, shape, clip=(None, None), **attributes):
        weight = _parameter(rng, f"{name}.weight", shape, dtype, shape[0] if per_channel else 0)
        bias = _bias(rng, f"{name}.bias", formats[source], weight)
        nodes.append(Node(op_type, name, (source,), target, attributes, weight, bias, clip))

    return layer


def small_network(dtype: str = "s16", per_channel: bool = False, seed: int = 0) -> Network:
    """The network as a quantized graph."""
    rng = np.random.default_rng(seed)
    formats = {
        "x": Format(0.02, -3, "s8", INPUT),
        "a": Format(0.03, -128, "s8", (6, 5, 4)),
        "b": Format(0.05, 4, "s8", (6, 5, 4)),
        "c": Format(0.06, -128, "s8", (6, 5, 4)),
        "m": Format(0.06, -128, "s8", (6, 2, 2)),
        "d": Format(0.1, 0, "s8", (3, 2, 2)),
        "f": Format(0.1, 0, "s8", (12,)),
        "y": Format(0.001, 0, "s16", (CLASSES,)),
    }
    nodes = []
    layer = _layers(rng, nodes, formats, dtype, per_channel)
    layer("Conv", "stem", "x", "a", (6, 2, 3, 3), (0.0, None), **_window(3, 2, (1, 0, 1, 2), group=1))
    layer("Conv", "depthwise", "a", "b", (6, 1, 3, 3), **_window(3, 1, (1, 1, 1, 1), group=6))
    nodes.append(Node("Add", "join", ("a", "b"), "c", {}, clip=(0.0, 6.0)))
    nodes.append(Node("MaxPool", "pool", ("c",), "m", _window(2, 2)))
    layer("Conv", "point", "m", "d", (3, 6, 1, 1), **_window(1, group=1))
    nodes.append(Node("Flatten", "flatten", ("d",), "f", {"axis": 1}))
    layer("Gemm", "head", "f", "y", (CLASSES, 12))
    metadata = {"class_names": ["a", "b", "c", "d"], "bits": "16w8a"}
    return Network("x", "y", tuple(nodes), "small", formats, metadata=metadata)


def small_program(dtype: str = "s16", per_channel: bool = False, seed: int = 0) -> Program:
    """The network lowered."""
    return lower(small_network(dtype, per_channel, seed))


def shared_network(dtype: str = "s16", channels: int = 16, seed: int = 0) -> Network:
    """Three weights that two layers each read: of a 3x3, of a depthwise and of a fully connected layer."""
    rng = np.random.default_rng(seed)
    shape = (channels, *INPUT[1:])
    formats = {"x": Format(0.02, -3, "s8", INPUT), "y": Format(0.004, 0, "s16", (CLASSES,))}
    formats |= {name: Format(0.05, -128, "s8", shape) for name in ("a", "b", "c", "d", "e")}
    formats |= {"p": Format(0.05, 0, "s8", (channels, 1, 1))}
    formats |= {name: Format(0.05, 0, "s8", (channels,)) for name in ("f", "g", "h")}
    nodes = []
    layer = _layers(rng, nodes, formats, dtype)
    square, single = _window(3, 1, (1, 1, 1, 1), group=1), _window(3, 1, (1, 1, 1, 1), group=channels)
    layer("Conv", "widen", "x", "a", (channels, 2, 3, 3), (0.0, None), **square)
    for name, source, target in (("conv", "a", "b"), ("conv again", "b", "c")):
        layer("Conv", name, source, target, (channels, channels, 3, 3), (0.0, None), **square)
    for name, source, target in (("depthwise", "c", "d"), ("depthwise again", "d", "e")):
        layer("Conv", name, source, target, (channels, 1, 3, 3), (0.0, None), **single)
    nodes.append(Node("GlobalAveragePool", "average", ("e",), "p", {}))
    nodes.append(Node("Flatten", "flatten", ("p",), "f", {"axis": 1}))
    for name, source, target in (("dense", "f", "g"), ("dense again", "g", "h")):
        layer("Gemm", name, source, target, (channels, channels))
    layer("Gemm", "head", "h", "y", (CLASSES, channels))
    first = {node.name: node.weight for node in nodes}
    shared = [replace(node, weight=first[node.name.removesuffix(" again")]) for node in nodes]
    return Network("x", "y", tuple(shared), "shared", formats, metadata={"bits": "16w8a"})


def convolutions_program(seed: int = 0) -> Program:
    """3x3 convolutions of stride one, with odd sizes: Winograd's tiles on a host, but for the last rows of the first,
    whose weights are too large for them."""
    rng = np.random.default_rng(seed)
    formats = {
        "x": Format(0.02, -3, "s8", INPUT),
        "a": Format(0.03, -128, "s8", (12, 9, 7)),
        "b": Format(0.3, -128, "s8", (24, 9, 7)),
        "c": Format(2.0, 5, "s8", (17, 7, 5)),
        "p": Format(1.0, 0, "s8", (17, 1, 1)),
        "f": Format(1.0, 0, "s8", (17,)),
        "y": Format(0.004, 0, "s16", (CLASSES,)),
    }
    nodes = []
    layer = _layers(rng, nodes, formats)
    layer("Conv", "widen", "x", "a", (12, 2, 1, 1), (0.0, None), **_window(1, group=1))
    layer("Conv", "padded", "a", "b", (24, 12, 3, 3), (0.0, None), **_window(3, 1, (1, 1, 1, 1), group=1))
    layer("Conv", "inner", "b", "c", (17, 24, 3, 3), **_window(3, group=1))
    for node, rows in ((nodes[1], slice(16)), (nodes[2], slice(None))):
        node.weight.q[rows] //= 12
    nodes.append(Node("GlobalAveragePool", "average", ("c",), "p", {}))
    nodes.append(Node("Flatten", "flatten", ("p",), "f", {"axis": 1}))
    layer("Gemm", "head", "f", "y", (CLASSES, 17))
    return lower(Network("x", "y", tuple(nodes), "convolutions", formats, metadata={"bits": "16w8a"}))


def wide_program(dtype: str = "s8", rows: int = 16, channels: int = 16, seed: int = 0) -> Program:
    """A 3x3 convolution with long rows of weights, and a layer on its averages: one panel of rows, two or three."""
    rng = np.random.default_rng(seed)
    formats = {
        "x": Format(0.02, -3, "s8", INPUT),
        "a": Format(0.03, -128, "s8", (channels, 9, 7)),
        "b": Format(0.1, 5, "s8", (rows, 9, 7)),
        "p": Format(0.02, 0, "s8", (rows, 1, 1)),
        "f": Format(0.02, 0, "s8", (rows,)),
        "y": Format(0.001, 0, "s16", (CLASSES,)),
    }
    nodes = []
    layer = _layers(rng, nodes, formats, dtype)
    layer("Conv", "widen", "x", "a", (channels, 2, 1, 1), (0.0, None), **_window(1, group=1))
    layer("Conv", "wide", "a", "b", (rows, channels, 3, 3), **_window(3, 1, (1,) * 4, group=1))
    nodes.append(Node("GlobalAveragePool", "average", ("b",), "p", {}))
    nodes.append(Node("Flatten", "flatten", ("p",), "f", {"axis": 1}))
    layer("Gemm", "head", "f", "y", (CLASSES, rows))
    return lower(Network("x", "y", tuple(nodes), "wide", formats, metadata={"bits": "8w8a"}))


def pointwise_program(dtype: str = "s16", rows: int = 70, channels: int = 75, seed: int = 0) -> Program:
    """A 1x1 convolution between more channels than a tile has, at one position more than 16 bits hold the sums of, and
    a layer on its averages."""
    rng = np.random.default_rng(seed)
    formats = {
        "x": Format(0.02, -3, "s8", (2, 17, 15)),
        "a": Format(0.03, -128, "s8", (channels, 17, 15)),
        "b": Format(0.1, -128, "s8", (rows, 17, 15)),
        "p": Format(0.02, -128, "s8", (rows, 1, 1)),
        "f": Format(0.02, -128, "s8", (rows,)),
        "y": Format(0.001, 0, "s16", (CLASSES,)),
    }
    nodes = []
    layer = _layers(rng, nodes, formats, dtype)
    layer("Conv", "widen", "x", "a", (channels, 2, 1, 1), (0.0, None), **_window(1, group=1))
    layer("Conv", "pointwise", "a", "b", (rows, channels, 1, 1), (0.0, None), **_window(1, group=1))
    nodes.append(Node("GlobalAveragePool", "average", ("b",), "p", {}))
    nodes.append(Node("Flatten", "flatten", ("p",), "f", {"axis": 1}))
    layer("Gemm", "head", "f", "y", (CLASSES, rows))
    return lower(Network("x", "y", tuple(nodes), "pointwise", formats, metadata={"bits": "16w8a"}))


def long_rows_program(dtype: str = "s16", per_channel: bool = False, seed: int = 0) -> Program:
    """Rows of weights that are long next to the activations, of even and of odd length, for every operator that has
    any; the first layers' activations are small, so that no room of the arena is idle while a long row is staged."""
    rng = np.random.default_rng(seed)
    formats = {
        "x": Format(0.02, -3, "s8", (27, 5, 5)),
        "a": Format(0.2, -128, "s8", (18, 5, 5)),
        "b": Format(0.9, 4, "s8", (18, 5, 5)),
        "c": Format(2.0, 4, "s8", (9, 3, 3)),
        "f": Format(2.0, 4, "s8", (81,)),
        "h": Format(9.0, 0, "s8", (150,)),
        "i": Format(30.0, 0, "s8", (40,)),
        "y": Format(0.5, 0, "s16", (CLASSES,)),
    }
    nodes = []
    layer = _layers(rng, nodes, formats, dtype, per_channel)
    layer("Conv", "square", "x", "a", (18, 27, 3, 3), (0.0, None), **_window(3, 1, (1,) * 4, group=1))
    layer("Conv", "depthwise", "a", "b", (18, 1, 7, 7), **_window(7, 1, (3,) * 4, group=18))
    layer("Conv", "groups", "b", "c", (9, 6, 3, 3), **_window(3, 2, (1,) * 4, group=3))
    nodes.append(Node("Flatten", "flatten", ("c",), "f", {"axis": 1}))
    layer("Gemm", "odd", "f", "h", (150, 81))
    layer("Gemm", "even", "h", "i", (40, 150))
    layer("Gemm", "head", "i", "y", (CLASSES, 40))
    return lower(Network("x", "y", tuple(nodes), "long rows", formats, metadata={"bits": "16w8a"}))


def padded_program() -> Program:
    """A depthwise convolution of which the first windows lie in the padding."""
    height, width, channels = INPUT[1], INPUT[2], INPUT[0]
    tensors = (
        Tensor("w", (2, 2, channels), "s16", (3e-5,), offset=0),
        Tensor("b", (channels,), "s32", (6e-7,), offset=16),
        Tensor("x", (height, width, channels), "s8", (0.02,), -3, offset=-1),
        Tensor("y", (height + 5, width + 5, channels), "s8", (loss_scale(30000, 10),)),
    )
    weights = np.array([730, -5087, 2750, 461, -850, -1, 10, 900, 5, 0, -7, 0], "<i2").tobytes()
    what = Depthwise(kernel=(2, 2), padding=(3, 3, 3, 3), rescale=((32768, 27),))
    op = Op("op", what, (2,), 3, weight=0, bias=1)
    return plan_arena(Program(tensors, (op,), 2, 3, 2, weights))


def samples(program: Program, n: int, seed: int = 1):
    """n random inputs and labels."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (n, *program.tensors[program.input].shape)).astype(np.int8)
    return x, rng.integers(0, CLASSES, n).astype(np.int32)
