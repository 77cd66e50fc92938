"""Operators against the plainest possible loops in Python integers."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stepforward.operators.add import Add
from stepforward.operators.average_pool import AveragePool
from stepforward.operators.concat import Concat
from stepforward.operators.conv import Conv
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.max_pool import MaxPool
from stepforward.operators.pad import Pad
from stepforward.operators.reshape import Reshape
from stepforward.operators.transpose import Transpose
from stepforward.program.model import Tensor

PAIR = ((40000, 24),)


@st.composite
def windows(draw):
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    height, width = draw(st.tuples(st.integers(5, 7), st.integers(5, 7)))
    out = tuple(
        (size + padding[i] + padding[i + 2] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i, size in enumerate((height, width))
    )
    return (
        {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding},
        (height, width),
        out,
    )


def integers(draw, shape, low, high):
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(low, high + 1, shape)


def tensor(shape, zero_point=0):
    return Tensor("t", shape, "s8", (1.0,), zero_point)


def samples_under(x, op, oy, ox):
    """(ky, kx, samples of all channels) of one output position; positions in the padding are left out."""
    height, width, _ = x.shape
    for ky, kx in product(range(op.kernel[0]), range(op.kernel[1])):
        iy = oy * op.stride[0] + ky * op.dilation[0] - op.padding[0]
        ix = ox * op.stride[1] + kx * op.dilation[1] - op.padding[1]
        if 0 <= iy < height and 0 <= ix < width:
            yield ky, kx, [int(v) for v in x[iy, ix]]


def requantize(acc, pair, zero_point, lo=-128, hi=127):
    mult, shift = pair
    return max(lo, min(hi, ((acc * mult + (1 << shift >> 1)) >> shift) + zero_point))


@settings(max_examples=40)
@given(
    windows(),
    st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6), (4, 4, 4)]),
    st.integers(-128, 127),
    st.data(),
)
def test_convolution(window, grouping, zero_point, data):
    fields, (height, width), out = window
    groups, channels, outputs = grouping
    x = integers(data.draw, (1, height, width, channels), -128, 127)
    w = integers(data.draw, (outputs, *fields["kernel"], channels // groups), -32767, 32767)
    b = integers(data.draw, (outputs,), -(2**20), 2**20)
    op = Conv(rescale=PAIR, groups=groups, **fields)
    x_tensor, y = tensor((height, width, channels), zero_point), tensor((*out, outputs), 3)
    got = op.run([x], [x_tensor], y, [w, b])
    per_group_in, per_group_out = channels // groups, outputs // groups
    for oy, ox, o in product(range(out[0]), range(out[1]), range(outputs)):
        acc, first = int(b[o]), (o // per_group_out) * per_group_in
        for ky, kx, sample in samples_under(x[0], op, oy, ox):
            acc += sum((sample[first + i] - zero_point) * int(w[o, ky, kx, i]) for i in range(per_group_in))
        assert got[0, oy, ox, o] == requantize(acc, PAIR[0], 3)


@settings(max_examples=30)
@given(windows(), st.integers(-128, 127), st.data())
def test_depthwise_convolution_is_a_grouped_convolution(window, zero_point, data):
    fields, (height, width), out = window
    x = integers(data.draw, (2, height, width, 3), -128, 127)
    w = integers(data.draw, (*fields["kernel"], 3), -32767, 32767)
    b = integers(data.draw, (3,), -(2**20), 2**20)
    x_tensor, y = tensor((height, width, 3), zero_point), tensor((*out, 3))
    conv, depthwise = Conv(rescale=PAIR * 3, groups=3, **fields), Depthwise(rescale=PAIR * 3, **fields)
    grouped = conv.run([x], [x_tensor], y, [w.transpose(2, 0, 1)[..., None], b])
    assert (depthwise.run([x], [x_tensor], y, [w, b]) == grouped).all()


@settings(max_examples=40)
@given(windows(), st.booleans(), st.integers(-128, 127), st.data())
def test_pooling(window, counted, zero_point, data):
    fields, (height, width), out = window
    fields["dilation"] = (1, 1)
    fields["padding"] = tuple(
        min(p, k - 1) for p, k in zip(fields["padding"], fields["kernel"] * 2, strict=True)
    )
    out = tuple(
        (size + fields["padding"][i] + fields["padding"][i + 2] - fields["kernel"][i]) // fields["stride"][i]
        + 1
        for i, size in enumerate((height, width))
    )
    x = integers(data.draw, (1, height, width, 2), -128, 127)
    full = fields["kernel"][0] * fields["kernel"][1]
    counts = [full] if counted else range(1, full + 1)
    pairs = tuple((65535 // n, 16) for n in counts)
    average, largest = AveragePool(rescale=pairs, count_padding=counted, **fields), MaxPool(**fields)
    x_tensor, y = tensor((height, width, 2), zero_point), tensor((*out, 2), 5)
    means, tops = average.run([x], [x_tensor], y), largest.run([x], [x_tensor], y)
    for oy, ox, c in product(range(out[0]), range(out[1]), range(2)):
        under = [sample[c] for _, _, sample in samples_under(x[0], largest, oy, ox)]
        acc, n = sum(v - zero_point for v in under), full if counted else len(under)
        assert tops[0, oy, ox, c] == max(under)
        assert means[0, oy, ox, c] == requantize(acc, (65535 // n, 16), 5)


@given(
    st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127)), min_size=1, max_size=20), st.data()
)
def test_add_rounds_the_sum_once(values, data):
    a, b = (np.array(part)[None] for part in zip(*values, strict=True))
    za, zb = data.draw(st.integers(-128, 127)), data.draw(st.integers(-128, 127))
    op = Add(rescale=((33000, 16), (50001, 16)), lo=0)
    formats = [tensor((len(values),), zero_point) for zero_point in (za, zb)]
    got = op.run([a, b], formats, tensor((len(values),), 7))
    for i, (p, q) in enumerate(values):
        assert got[0, i] == requantize((p - za) * 33000 + (q - zb) * 50001, (1, 16), 7, lo=0)


def test_moving_operators():
    x = np.arange(24).reshape(1, 2, 3, 4)
    same = [tensor((2, 3, 4))]
    padded = Pad(padding=(1, 0, 0, 2), channels=(0, 1), value=-9).run([x], same, tensor((3, 5, 5)))
    assert padded.shape == (1, 3, 5, 5)
    assert (padded[:, 1:, :3, :4] == x).all() and (padded == -9).sum() == 75 - 24
    turned = Transpose(permutation=(2, 0, 1)).run([x], same, tensor((4, 2, 3)))
    assert (turned == x.transpose(0, 3, 1, 2)).all()
    assert Reshape().run([x], same, tensor((24,))).tolist() == [list(range(24))]
    join = Concat(rescale=((32768, 15), (32768, 16)), axis=2)
    joined = join.run([x, x], same * 2, tensor((2, 3, 8)))
    assert (joined[..., :4] == x).all() and (joined[..., 4:] == (x + 1) // 2).all()
