"""Hypothesis strategies for one-operator programs: every kind, geometry, type and format."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from loss_scale import loss_scale

from stepforward.arithmetic.rounding import (
    CONTRACT,
    FLOAT,
    INSIDE,
    INSIDE_BYTES,
    ONCE,
    TWICE,
    float_multiplier,
    q31_multiplier,
)
from stepforward.operators.add import Add
from stepforward.operators.concat import Concat
from stepforward.operators.gru import Gru
from stepforward.operators.layer_norm import LayerNorm
from stepforward.operators.lookup import Lookup
from stepforward.operators.lstm import Lstm
from stepforward.operators.matmul import MatMul
from stepforward.operators.rescale import Rescale
from stepforward.operators.rnn import Rnn
from stepforward.operators.softmax import Softmax, packed
from stepforward.operators.table import BY_KIND, JOINS
from stepforward.operators.transpose import Transpose
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import activation_type, pack

LIMITS = {"s8": (-128, 127), "s16": (-32768, 32767)}


def image(draw):
    """Height and width; wide ones are worked on eight positions at a time, without a row's end between them."""
    return draw(st.integers(1, 7)), draw(st.one_of(st.integers(1, 7), st.integers(8, 21)))


def windowed(draw, height, width, dilate=True):
    """(operator fields, output height, output width) of a random window that fits."""
    sizes = (height, width)
    kernel = tuple(draw(st.integers(1, 4)) for _ in sizes)
    stride = tuple(draw(st.integers(1, 3)) for _ in sizes)
    dilation = tuple(draw(st.integers(1, 2)) if dilate else 1 for _ in sizes)
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    beyond = draw(st.sampled_from([0, 0, 0, 9]))  # padding in which whole windows lie
    padding = [draw(st.integers(0, k - 1 + beyond)) for k in (*kernel, *kernel)]
    for axis in range(2):  # grow the padding until one window fits
        padding[axis] += max(0, span[axis] - sizes[axis] - padding[axis] - padding[axis + 2])
    out = [(sizes[i] + padding[i] + padding[i + 2] - span[i]) // stride[i] + 1 for i in range(2)]
    fields = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": tuple(padding)}
    return fields, out[0], out[1]


def clip(draw, dtype):
    lo, hi = LIMITS[dtype]
    a, b = draw(st.integers(lo, hi)), draw(st.integers(lo, hi))
    return draw(st.sampled_from([{"lo": lo, "hi": hi}, {"lo": min(a, b), "hi": max(a, b)}]))


def pairs(draw, count, center, spread=3):
    """(mult, shift) near a useful scale, sometimes anywhere."""
    near = st.tuples(st.integers(32768, 65535), st.integers(center - spread, center + spread))
    anywhere = st.tuples(st.integers(0, 65535), st.integers(0, 47))
    kind = draw(st.sampled_from([near, near, near, anywhere]))
    return tuple(
        (mult, min(max(shift, 0), 47)) for mult, shift in draw(st.lists(kind, min_size=count, max_size=count))
    )


def wide_input(draw, what, shift):
    """An input of 16 bits in place of one of 8: what reads it shifts so much further."""
    x, rescale = what
    if not draw(st.sampled_from([False, False, True])):
        return x, rescale
    pairs_ = tuple((mult, min(by + shift, 47)) for mult, by in rescale)
    return replace(x, dtype="s16", zero_point=0), pairs_


def activation(draw, name, shape, dtype="s8"):
    zero = draw(st.sampled_from([0, LIMITS[dtype][0], LIMITS[dtype][1], -3, 17]))
    return Tensor(name, shape, dtype, (0.02,), zero, offset=-1 if name == "x" else 0)


def seeded(draw):
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def parameters(draw, shape, rows, rule, divisor, taps):
    """Weight and bias tensors and their packed section."""
    rng, dtype = seeded(draw), draw(st.sampled_from(["s16", "s8", "s4"]))
    per_channel = draw(st.booleans())
    q_max = {"s16": 32767, "s8": 127, "s4": 7}[dtype]
    largest = draw(st.sampled_from([q_max, q_max, max(1, q_max // 20)]))
    scale = 1.0 / q_max
    scales = tuple(scale * (1 + i / 7) for i in range(rows)) if per_channel else (scale,)
    weight = Tensor(
        *("w", shape, dtype, scales, 0, 0),
        *((rule, divisor) if per_channel else ("one", 1)),
    )
    edges = rng.random() < 0.3  # sums of all-extreme weights are where int32 could overflow
    w = rng.choice([-largest, largest], shape) if edges else rng.integers(-largest, largest + 1, shape)
    wide = draw(st.sampled_from([1000, 10**6, 2**31 - 1]))
    packed = pack(weight, w)
    packed += bytes(-len(packed) % 4)
    bias_scales = tuple(0.02 * s for s in scales)
    rule_of_bias = ("divide", 1) if per_channel else ("one", 1)
    bias = Tensor("b", (rows,), "s32", bias_scales, 0, len(packed), *rule_of_bias)
    b = rng.integers(-wide, wide + 1, rows)
    center = 16 + max(1, round(math.log2(largest * 60 * math.sqrt(taps) / 40)))
    rescale = pairs(draw, draw(st.sampled_from([1, rows])), center)
    return (weight, bias), packed + pack(bias, b), rescale


def finish(draw, parameters, blob, activations, **op):
    count = len(parameters)
    op["inputs"] = tuple(count + i for i in op["inputs"])
    output = count + len(activations) - 1
    what = BY_KIND[op.pop("kind")]
    inputs, own = op.pop("inputs"), {"weight": 0, "bias": 1} if parameters else {}
    ops = [Op("op", what(**op), inputs, output, **own)]
    tensors = [*parameters, *activations]
    scale = loss_scale(draw(st.integers(30000, 65535)), draw(st.integers(0, 20)))
    tensors[output] = replace(tensors[output], scale=(scale,))
    return plan_arena(Program(tuple(tensors), tuple(ops), count, output, count, blob))


@st.composite
def conv_programs(draw):
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    group_in = draw(st.sampled_from([1, 2, 3, 5, 16, 17]))
    group_out = draw(st.sampled_from([1, 2, 5, 8, 16, 19, 33]))
    height, width = image(draw)
    window, out_h, out_w = windowed(draw, height, width)
    if draw(st.booleans()) and groups == 1:  # pointwise has its own path
        window = {}
        out_h, out_w = height, width
    kernel = window.get("kernel", (1, 1))
    rows, taps = groups * group_out, kernel[0] * kernel[1] * group_in
    tensors, blob, rescale = parameters(draw, (rows, *kernel, group_in), rows, "divide", taps, taps)
    dtype = draw(st.sampled_from(["s8", "s8", "s16"]))
    x = activation(draw, "x", (height, width, groups * group_in))
    x, rescale = wide_input(draw, (x, rescale), 8)
    y = activation(draw, "y", (out_h, out_w, rows), dtype)
    more = {"rescale": rescale, "groups": groups, **window, **clip(draw, dtype)}
    return finish(draw, tensors, blob, [x, y], kind="conv", inputs=(0,), **more)


@st.composite
def tiled_programs(draw):
    """3x3 convolutions of stride one that suit Winograd's tiles, with weights that some panels of rows can take
    transformed, or all, or none; those of 8 and 4 bits suit large tiles."""
    bits = draw(st.sampled_from(["s16", "s16", "s8", "s8", "s4"]))
    channels = draw(st.sampled_from([8, 10, 16, 24, 32, 66] if bits == "s16" else [16, 16, 24, 32, 48, 256]))
    rows = draw(st.sampled_from([9, 16, 17, 32, 40, 100]))
    padding = tuple(draw(st.integers(0, 2)) for _ in range(4))
    height, width = draw(st.integers(3, 9)), draw(st.integers(3, 21))
    out_h, out_w = height + padding[0] + padding[2] - 2, width + padding[1] + padding[3] - 2
    rng = seeded(draw)
    weight = Tensor("w", (rows, 3, 3, channels), bits, (1e-4,), 0, 0)
    # 9 * 3640 is at most 2^15 - 1, 9 * 3641 is not
    largest = draw(st.sampled_from([200, 3640, 3641] if bits == "s16" else [weight.q_max // 7, weight.q_max]))
    edges, shape = rng.random() < 0.3, weight.shape
    w = rng.choice([-largest, largest], shape) if edges else rng.integers(-largest, largest + 1, shape)
    for row in rng.integers(0, rows, draw(st.integers(0, 2))):
        w[row] = rng.integers(-weight.q_max, weight.q_max + 1, w[row].shape)
    blob = pack(weight, w)
    blob += bytes(-len(blob) % 4)
    bias = Tensor("b", (rows,), "s32", (2e-6,), 0, len(blob))
    wide = draw(st.sampled_from([1000, 10**6, 2**31 - 1]))
    blob += pack(bias, rng.integers(-wide, wide + 1, rows))
    center = 16 + round(math.log2(largest * 60 * math.sqrt(9 * channels) / 40))
    dtype = draw(st.sampled_from(["s8", "s8", "s8", "s16"]))
    x = activation(draw, "x", (height, width, channels))
    y = activation(draw, "y", (out_h, out_w, rows), dtype)
    more = {"rescale": pairs(draw, draw(st.sampled_from([1, rows])), center), "kernel": (3, 3)}
    more |= {"padding": padding, **clip(draw, dtype)}
    return finish(draw, (weight, bias), blob, [x, y], kind="conv", inputs=(0,), **more)


@st.composite
def depthwise_programs(draw):
    channels = draw(st.sampled_from([1, 3, 8, 15, 16, 17, 24, 35, 48, 67]))
    height, width = image(draw)
    window, out_h, out_w = windowed(draw, height, width)
    taps = window["kernel"][0] * window["kernel"][1]
    tensors, blob, rescale = parameters(
        draw, (*window["kernel"], channels), channels, "modulo", channels, taps
    )
    dtype = draw(st.sampled_from(["s8", "s8", "s16"]))
    x = activation(draw, "x", (height, width, channels))
    y = activation(draw, "y", (out_h, out_w, channels), dtype)
    more = {"rescale": rescale, **window, **clip(draw, dtype)}
    return finish(draw, tensors, blob, [x, y], kind="depthwise", inputs=(0,), **more)


@st.composite
def fully_connected_programs(draw):
    shape = draw(st.sampled_from([(1,), (7,), (40,), (3, 2, 5), (300,), (700,)]))
    rows, length = draw(st.sampled_from([1, 4, 10, 16, 37])), math.prod(shape)
    tensors, blob, rescale = parameters(draw, (rows, length), rows, "divide", length, length)
    dtype = draw(st.sampled_from(["s8", "s16"]))
    x, rescale = wide_input(draw, (activation(draw, "x", shape), rescale), 8)
    activations = [x, activation(draw, "y", (rows,), dtype)]
    more = {"rescale": rescale, **clip(draw, dtype)}
    return finish(draw, tensors, blob, activations, kind="fully_connected", inputs=(0,), **more)


@st.composite
def pool_programs(draw):
    kind = draw(st.sampled_from(["max_pool", "average_pool"]))
    channels = draw(st.sampled_from([1, 3, 16, 21, 40]))
    height, width = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    window, out_h, out_w = windowed(draw, height, width, dilate=kind == "max_pool")
    taps = window["kernel"][0] * window["kernel"][1]
    x = activation(draw, "x", (height, width, channels))
    if kind == "max_pool":
        y = Tensor("y", (out_h, out_w, channels), "s8", x.scale, x.zero_point)
        return finish(draw, (), b"", [x, y], kind=kind, inputs=(0,), **window, **clip(draw, "s8"))
    dtype = draw(st.sampled_from(["s8", "s16"]))
    y = activation(draw, "y", (out_h, out_w, channels), dtype)
    beyond = any(window["padding"][i] >= window["kernel"][i % 2] for i in range(4))
    rescale = pairs(draw, 1 if beyond else draw(st.sampled_from([1, taps])), 17)
    more = {"rescale": rescale, **window, **clip(draw, dtype)}
    return finish(draw, (), b"", [x, y], kind=kind, inputs=(0,), **more)


def shapes(draw):
    return draw(st.sampled_from([(1,), (9,), (37,), (2, 3), (3, 2, 5), (4, 4, 16), (2, 2, 3, 4)]))


@st.composite
def elementwise_programs(draw):
    """What joins two tensors reads the input and its rescaled copy; rescale and lookup the input alone."""
    shape, dtype = shapes(draw), draw(st.sampled_from(["s8", "s16"]))
    x, copy = activation(draw, "x", shape), activation(draw, "copy", shape)
    y = activation(draw, "y", shape, dtype)
    first = Op("first", Rescale(rescale=pairs(draw, 1, 15)), (0,), 1)
    what = draw(st.sampled_from(["join", "rescale", "lookup"]))
    if what == "lookup":
        lo, hi = LIMITS[dtype]
        entries = seeded(draw).integers(lo, hi + 1, Lookup.table_entries).tolist()
        op = Op("lookup", Lookup(tables=tuple(entries), **clip(draw, dtype)), (1,), 2)
    elif what == "join":
        kind = draw(st.sampled_from(list(JOINS.values())))
        drawn = pairs(draw, len(kind.multipliers(1.0, 1.0, 1.0)), 16)
        rescale = tuple((mult, drawn[0][1]) for mult, _ in drawn)
        op = Op("join", kind(rescale=rescale, **clip(draw, dtype)), (0, 1), 2)
    else:
        op = Op("second", Rescale(rescale=pairs(draw, 1, 16), **clip(draw, dtype)), (1,), 2)
    return plan_arena(Program((x, copy, y), (first, op), 0, 2, 0, b""))


@st.composite
def broadcast_programs(draw):
    """What joins two tensors, with dimensions that only one of them has: the input, repeated along these."""
    shape = draw(
        st.sampled_from([(4, 3, 16), (3, 5, 7), (1, 4, 13), (16, 9), (5,), (2, 3, 2, 4), (2, 2, 1, 3, 2)])
    )
    owners = [draw(st.sampled_from(["both", "first", "second"])) for _ in shape]
    small = tuple(size if owner == "both" else 1 for size, owner in zip(shape, owners, strict=True))
    tensors, ops, joined = [activation(draw, "x", small)], [], []
    for which in ("first", "second"):
        at, grown = 0, list(small)
        for axis in (axis for axis, owner in enumerate(owners) if owner == which):
            grown[axis] = shape[axis]
            what = Concat(rescale=pairs(draw, shape[axis], 15), axis=axis)
            ops.append(Op(f"{which}{axis}", what, (at,) * shape[axis], len(tensors)))
            at = len(tensors)
            tensors.append(activation(draw, f"{which}{axis}", tuple(grown)))
        joined.append(at)
    kind, dtype = draw(st.sampled_from(list(JOINS.values()))), draw(st.sampled_from(["s8", "s16"]))
    drawn = pairs(draw, len(kind.multipliers(1.0, 1.0, 1.0)), 16)
    rescale = tuple((mult, drawn[0][1]) for mult, _ in drawn)
    ops.append(Op("join", kind(rescale=rescale, **clip(draw, dtype)), tuple(joined), len(tensors)))
    tensors.append(activation(draw, "y", shape, dtype))
    return plan_arena(Program(tuple(tensors), tuple(ops), 0, len(tensors) - 1, 0, b""))


def rows(draw, *longer):
    """A shape of which operators work on the last axis; its size is below, at and above those of vectors."""
    before = draw(st.sampled_from([(), (3,), (2, 5), (1, 2, 3), (2, 1, 2, 2)]))
    return (*before, draw(st.sampled_from([1, 2, 7, 16, 33, 64, 255, *longer])))


def widened(draw, x, name="wide"):
    """(tensor, operator) of the input as s16, most of whose range it takes."""
    tensor = replace(activation(draw, name, x.shape, "s16"), offset=0)
    return tensor, Op(name, Rescale(rescale=pairs(draw, 1, 8), lo=-32768, hi=32767), (0,), 1)


def masks(draw, shape):
    """No mask, or one with as many rows as the tensor or a part of them; each reads something."""
    if draw(st.booleans()):
        return ()
    rows = draw(st.sampled_from([1, *shape[-2:-1], math.prod(shape[:-1])]))
    share = draw(st.sampled_from([0.1, 0.7]))
    read = np.random.default_rng(draw(st.integers(0, 99))).random((rows, shape[-1])) < share
    read[np.arange(rows), np.arange(rows) % shape[-1]] = True
    return packed(read)


@st.composite
def softmax_programs(draw):
    shape, dtype = rows(draw, 1100), draw(st.sampled_from(["s8", "s16"]))
    x, y = activation(draw, "x", shape), activation(draw, "y", shape, dtype)
    bits = draw(st.sampled_from([8, 15, 15, 0, 3]))
    what = Softmax(bits=bits, mask=masks(draw, shape), rescale=pairs(draw, 1, 4), **clip(draw, dtype))
    return plan_arena(Program((x, y), (Op("softmax", what, (0,), 1),), 0, 1, 0, b""))


@st.composite
def layer_norm_programs(draw):
    shape, dtype, wide = rows(draw), draw(st.sampled_from(["s8", "s16"])), draw(st.booleans())
    tensors, blob, rescale = parameters(draw, shape[-1:], shape[-1], "divide", 1, 1)
    activations, ops = [activation(draw, "x", shape)], []
    if wide:
        tensor, op = widened(draw, activations[0])
        activations.append(tensor)
        ops.append(replace(op, inputs=(2,), output=3))
    at = 1 + len(activations)
    activations.append(activation(draw, "y", shape, dtype))
    epsilon = draw(st.sampled_from([(0, 1), (0, 400), (3, 0), (2**31 - 1, 2**31 - 1)]))
    fields = {"fraction": draw(st.integers(0, 15)), "epsilon": epsilon, "rescale": rescale}
    what = LayerNorm(**fields, **clip(draw, dtype))
    ops.append(Op("norm", what, (at,), at + 1, 0, 1))
    return plan_arena(Program((*tensors, *activations), tuple(ops), 2, at + 1, 2, blob))


@st.composite
def matmul_programs(draw):
    """The input, or its copy as s16, times a copy of it: with itself as it is, or in another order of the axes."""
    before = draw(st.sampled_from([(), (2,), (1, 3)]))
    height, length = draw(st.sampled_from([1, 3, 8, 17, 50])), draw(st.sampled_from([1, 5, 16, 40, 300]))
    shape, dtype, transposed = (
        (*before, height, length),
        draw(st.sampled_from(["s8", "s16"])),
        draw(st.booleans()),
    )
    x, b = activation(draw, "x", shape), activation(draw, "b", shape)
    tensors, ops, first = [x, b], [Op("b", Rescale(rescale=pairs(draw, 1, 15)), (0,), 1)], 0
    if draw(st.booleans()):
        tensor, op = widened(draw, x)
        tensors.append(replace(tensor, zero_point=0))
        ops.append(replace(op, output=2))
        first = 2
    second = 1
    if not transposed:
        order = (*range(len(before)), len(before) + 1, len(before))
        second = len(tensors)
        tensors.append(Tensor("turned", (*before, length, height), "s8", b.scale, b.zero_point))
        ops.append(Op("turned", Transpose(permutation=order), (1,), second))
    y = activation(draw, "y", (*before, height, height), dtype)
    what = MatMul(transposed=transposed, rescale=pairs(draw, 1, 22), **clip(draw, dtype))
    ops.append(Op("product", what, (first, second), len(tensors)))
    return plan_arena(Program((*tensors, y), tuple(ops), 0, len(tensors), 0, b""))


@st.composite
def wide_sum_programs(draw):
    """Sums of the input and its copy as s16, in either order, or of that and itself."""
    x, dtype = activation(draw, "x", shapes(draw)), draw(st.sampled_from(["s8", "s16"]))
    wide, first = widened(draw, x)
    (mult_a, shift), (mult_b, _) = pairs(draw, 2, draw(st.sampled_from([4, 8, 15, 20, 37])))
    what = Add(rescale=((mult_a, shift), (mult_b, shift)), **clip(draw, dtype))
    ops = (first, Op("sum", what, draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])), 2))
    return plan_arena(Program((x, wide, activation(draw, "y", x.shape, dtype)), ops, 0, 2, 0, b""))


@st.composite
def recurrent_programs(draw):
    """A layer of either kind over the input as s16; hidden sizes below, at and above those of vectors, odd and even."""
    kind = draw(st.sampled_from([Gru, Lstm, Rnn]))
    hidden, steps = (
        draw(st.sampled_from([1, 2, 3, 8, 17])),
        draw(st.sampled_from([(1,), (5,), (1, 3)])),
    )
    rows = kind.gates * hidden
    tensors, blob, rescale = parameters(draw, (rows, hidden), rows, "divide", hidden, hidden)
    x = activation(draw, "x", (*steps, rows))
    wide, first = widened(draw, x)
    dtype = draw(st.sampled_from(["s8", "s16"]))
    y = activation(draw, "y", (*steps, hidden), dtype)
    own = {
        Gru: {"reset_after": draw(st.booleans())},
        Lstm: {"cell": draw(st.integers(0, 8))},
        Rnn: {"relu": draw(st.booleans())},
    }[kind]
    shown = draw(st.sampled_from([(1, 0), (1, 8), (32768, 15), (40000, 20), (65535, 23)]))
    what = kind(
        rescale=rescale, reverse=draw(st.booleans()), output_rescale=shown, **own, **clip(draw, dtype)
    )
    ops = (replace(first, inputs=(2,), output=3), Op("layer", what, (3,), 4, 0, 1))
    wide = replace(wide, zero_point=0)
    return plan_arena(Program((*tensors, x, wide, y), ops, 2, 4, 2, blob))


@st.composite
def concat_programs(draw):
    shape = shapes(draw)
    axis, dtype = draw(st.integers(0, len(shape) - 1)), draw(st.sampled_from(["s8", "s16"]))
    x, copy = activation(draw, "x", shape), activation(draw, "copy", shape)
    count = draw(st.integers(1, 4))
    sources = tuple(draw(st.integers(0, 1)) for _ in range(count))
    joined = (*shape[:axis], count * shape[axis], *shape[axis + 1 :])
    y = activation(draw, "y", joined, dtype)
    first = Op("first", Rescale(rescale=pairs(draw, 1, 15)), (0,), 1)
    what = Concat(rescale=pairs(draw, count, 15), axis=axis, **clip(draw, dtype))
    join = Op("join", what, sources, 2)
    return plan_arena(Program((x, copy, y), (first, join), 0, 2, 0, b""))


@st.composite
def move_programs(draw):
    """pad, transpose or reshape, of s8 or s16 (after a rescale that makes it so)."""
    kind, dtype = draw(st.sampled_from(["pad", "transpose", "reshape"])), draw(st.sampled_from(["s8", "s16"]))
    shape = draw(st.sampled_from([(3, 2, 5), (1, 4, 3)])) if kind == "pad" else shapes(draw)
    x, wide = activation(draw, "x", shape), activation(draw, "wide", shape, dtype)
    lo, hi = LIMITS[dtype]
    first = Op("first", Rescale(rescale=pairs(draw, 1, 8), lo=lo, hi=hi), (0,), 1)
    if kind == "pad":
        top, left, bottom, right, before, after = (draw(st.integers(0, 2)) for _ in range(6))
        padded = (shape[0] + top + bottom, shape[1] + left + right, shape[2] + before + after)
        fields = {"padding": (top, left, bottom, right), "channels": (before, after)}
        fields["value"] = draw(st.integers(lo, hi))
    elif kind == "transpose":
        order = tuple(draw(st.permutations(range(len(shape)))))
        padded, fields = tuple(shape[i] for i in order), {"permutation": order}
    else:
        padded, fields = (math.prod(shape),), {}
    y = Tensor("y", padded, dtype, wide.scale, wide.zero_point)
    move = Op(kind, BY_KIND[kind](**fields), (1,), 2)
    return plan_arena(Program((x, wide, y), (first, move), 0, 2, 0, b""))


@st.composite
def in_some_rounding(draw, programs):
    """The same programs, rounded as they are, or as another runtime would, by pairs of about the same ratios."""
    program, rounding = (
        draw(programs),
        draw(st.sampled_from([CONTRACT, TWICE, ONCE, FLOAT, INSIDE, INSIDE_BYTES])),
    )
    if rounding == CONTRACT:
        return program
    tensors, ops = list(program.tensors), []
    for op in program.ops:
        joins = op.kind in ("add", "multiply", "average_pool")
        if (
            rounding in (INSIDE, INSIDE_BYTES)
            and joins
            and not any(tensors[i].dtype == "s16" for i in op.inputs)
        ):
            count = {"add": 2, "multiply": 1}.get(op.kind, len(op.what.rescale))
            rescale = tuple(
                (draw(st.integers(2**23, 2**24 - 1)), draw(st.integers(16, 36))) for _ in range(count)
            )
            ops.append(replace(op, what=replace(op.what, rescale=rescale, rounding=rounding)))
            continue
        if op.kind not in ROUNDED or any(tensors[i].dtype == "s16" for i in op.inputs):
            ops.append(op)
            continue
        other = min(rounding, FLOAT)
        rescale = tuple(other_pair(*pair, other) for pair in op.what.rescale)
        if op.kind == "add":
            rescale = tuple(other_pair(*pair, other) for pair in pairs(draw, 2, 17) + pairs(draw, 1, 36))
        elif op.kind == "average_pool" and draw(st.booleans()):
            x = tensors[op.inputs[0]]
            tensors[op.output] = replace(tensors[op.output], dtype="s8", zero_point=x.zero_point)
            lo, hi = sorted(draw(st.integers(-128, 127)) for _ in range(2))
            op, rescale = replace(op, what=replace(op.what, lo=lo, hi=hi)), ()
        ops.append(replace(op, what=replace(op.what, rescale=rescale, rounding=other)))
    return plan_arena(replace(program, tensors=tuple(tensors), ops=tuple(ops)))


ROUNDED = ("conv", "depthwise", "fully_connected", "add", "rescale", "average_pool", "multiply")


def other_pair(mult, shift, rounding):
    """A pair of a rounding that is not the contract's, with more bits."""
    ratio = (mult + mult / 70000) / 2**shift
    if rounding == FLOAT:
        return float_multiplier(float(np.float32(ratio))) if 2**-38 < ratio < 2**20 else (0, 30)
    return q31_multiplier(ratio)


def inputs(program, n, rng):
    """n random samples, extreme values more often than by chance, and labels."""
    tensor = program.tensors[program.input]
    shape, (lo, hi) = (n, *tensor.shape), LIMITS[tensor.dtype]
    x = rng.integers(lo, hi + 1, shape)
    x = np.where(rng.random(shape) < 0.2, rng.choice([lo, hi], shape), x).astype(activation_type(tensor))
    return x, rng.integers(0, program.tensors[program.output].elements, n).astype(np.int32)
