"""Split, Slice and Gather: the same numbers as ONNX Runtime's, from operators that move or compute them exactly."""

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import canonical_like, parameters, parse, ramp, run_ort, samples

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

END = "g = GlobalAveragePool(c)\ny = Flatten(g)"
MOST = 2**63 - 1


def ints(*numbers):
    return np.array(numbers, np.int64)


def same_bits(body, input_shape="N,8,6,4", opset=21, **weights):
    """The canonical graph only moves numbers, as ONNX Runtime does, and so does the program; its operators."""
    model = parse(body, input_shape=input_shape, opset=opset, **weights)
    x = samples(model)
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    expected = run_ort(model, x).reshape(len(x), -1)
    assert np.array_equal(run(canonical.graph, x), expected)
    assert np.array_equal(run_ort(canonical, x), expected)
    quantized = quantize(canonical, x)
    lower(read_quantized(quantized))
    scale = {
        name: float(v.const_value.numpy())
        for name, v in quantized.graph.initializers.items()
        if name.endswith("scale")
    }
    step = scale[f"{quantized.graph.inputs[0].name}.scale"]
    moved = run_ort(parse(body, input_shape=input_shape, opset=opset, **weights), _rounded(x, step))
    np.testing.assert_allclose(run_ort(quantized, x), moved.reshape(len(x), -1), rtol=0, atol=step * 1e-3)
    return Counter(node.op_type for node in canonical.graph)


def _rounded(x, step):
    return (np.clip(np.rint(x / step), -128, 127) * step).astype(np.float32)


@pytest.mark.parametrize(
    ("start", "end", "axis", "step"),
    [
        *((0, 4, 1, 1), (4, MOST, 1, 1), (-2, MOST, 1, 1), (3, -2, -3, 1), (1, 6, 1, 1), (5, 6, 1, 1)),
        *(
            (1, MOST, 1, 2),
            (0, MOST, 1, 3),
            (1, MOST, 1, 3),
            (2, 7, 1, 2),
            (6, 1, 1, -2),
            (MOST, -MOST, 1, -1),
        ),
        *(
            (1, MOST, 2, 2),
            (1, -1, 2, 1),
            (2, MOST, 3, 1),
            (1, 3, -1, 1),
            (1, MOST, 3, 2),
            (0, 2, 2, 1),
            (3, 5, 2, 1),
        ),
    ],
)
def test_a_slice_of_one_axis(start, end, axis, step):
    body = "c = Slice(x, a, b, d, s)\ny = Flatten(c)"
    same_bits(body, a=ints(start), b=ints(end), d=ints(axis), s=ints(step))


def test_a_centre_crop_and_a_slice_of_all_axes():
    same_bits("c = Slice(x, a, b, d)\ny = Flatten(c)", a=ints(1, 1), b=ints(5, 3), d=ints(2, 3))
    body = "c = Slice(x, a, b)\ny = Flatten(c)"
    same_bits(body, a=ints(0, 2, 1, 0), b=ints(MOST, 6, 5, 3))


def test_pixels_into_channels_by_slices():
    """The first layer of some detectors: every second row and column, four times."""
    body = "\n".join(
        f"r{i} = Slice(x, {a}, most, two, s)\nq{i} = Slice(r{i}, {b}, most, three, s)"
        for i, (a, b) in enumerate([("zero", "zero"), ("one", "zero"), ("zero", "one"), ("one", "one")])
    )
    body += "\nc = Concat<axis=1>(q0, q1, q2, q3)\ny = Flatten(c)"
    names = {"zero": 0, "one": 1, "two": 2, "three": 3, "s": 2, "most": MOST}
    same_bits(body, **{name: ints(number) for name, number in names.items()})


@pytest.mark.parametrize(
    ("split", "opset", "sizes"),
    [
        ("a, b = Split<axis=1>(x)", 13, None),
        ("a, b = Split<axis=-3, num_outputs=2>(x)", 18, None),
        ("a, b, d = Split<axis=1, num_outputs=3>(x)", 18, None),
        ("a, b = Split<axis=1>(x, sizes)", 13, (3, 5)),
        ("a, b, d = Split<axis=1>(x, sizes)", 21, (1, 5, 2)),
        ("a, b = Split<axis=2>(x, sizes)", 21, (2, 4)),
    ],
)
def test_parts_of_a_split_in_another_order(split, opset, sizes):
    names = split.partition(" =")[0].split(", ")
    axis = 2 if "axis=2" in split else 1
    body = f"{split}\nc = Concat<axis={axis}>({', '.join(names[::-1])})\ny = Flatten(c)"
    same_bits(body, opset=opset, **({"sizes": ints(*sizes)} if sizes else {}))


@pytest.mark.parametrize("where", [[2, 1, 0], [3], [-1, 0, 0], [[0, 1], [6, 7]], 5, [7, 6, 5, 4, 3, 2, 1, 0]])
def test_a_gather_of_channels(where):
    same_bits("c = Gather<axis=1>(x, w)\ny = Flatten(c)", w=np.array(where))


@pytest.mark.parametrize("shape", ["N,12", "N,12,5"])
def test_tensors_that_are_no_images(shape):
    same_bits("c = Slice(x, a, b, d)\ny = Flatten(c)", shape, a=ints(3), b=ints(8), d=ints(1))
    same_bits("a, b = Split<axis=-1, num_outputs=2>(x)\nc = Concat<axis=-1>(b, a)\ny = Flatten(c)", shape)


def test_channels_looked_up_as_the_first_axis():
    """x[:, [2, 1, 0]] in some exports of torch."""
    start = "t = Transpose<perm=[1,0,2,3]>(x)\n"
    for look_up in ("g = GatherND(t, w)", "g = Gather<axis=0>(t, v)"):
        body = f"{start}{look_up}\nc = Transpose<perm=[1,0,2,3]>(g)\ny = Flatten(c)"
        same_bits(body, "N,3,4,4", w=np.array([[2], [0], [-1]]), v=np.array([2, 0, -1]))


@pytest.mark.parametrize("operator", ["Expand(x, w)", "Tile(x, v)"])
def test_a_channel_repeated(operator):
    kinds = same_bits(f"c = {operator}\ny = Flatten(c)", "N,1,4,4", w=ints(1, 3, 1, 1), v=ints(1, 3, 1, 2))
    assert kinds["Concat"] >= 1 and not kinds["MaxPool"]


@pytest.mark.parametrize("pads", [(0, 0, -2, -1, 0, 0, -1, 0), (0, -1, 1, 0, 0, 2, -1, -1)])
def test_a_pad_that_cuts(pads):
    same_bits("c = Pad(x, w)\ny = Flatten(c)", w=ints(*pads))


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_a_pad_that_mirrors_or_repeats_the_border(mode):
    body = f'c = Pad<mode="{mode}">(x, w)\ny = Flatten(c)'
    same_bits(body, w=ints(0, 0, 1, 2, 0, 0, 2, 3))
    same_bits(f'c = Pad<mode="{mode}">(x, w, , a)\ny = Flatten(c)', "N,12,5", w=ints(2, 1), a=ints(-1))


@pytest.mark.parametrize(
    ("pads", "message"),
    [((0, 0, 6, 0, 0, 0, 0, 0), "mirrors or repeats 6 of 6"), ((1, 0, 0, 0) * 2, "of a batch")],
)
def test_a_pad_that_mirrors_more_than_there_is_or_samples(pads, message):
    with pytest.raises(StepforwardError, match=message):
        canonicalize(parse('c = Pad<mode="reflect">(x, w)\ny = Flatten(c)', "N,8,6,4", w=ints(*pads)))


def test_a_shuffle_and_its_halves():
    body = """r = Reshape(x, five)
    t = Transpose<perm=[0,2,1,3,4]>(r)
    u = Reshape(t, four)
    a, b = Split<axis=1>(u)
    d = Relu(a)
    c = Concat<axis=1>(d, b)
    y = Flatten(c)"""
    same_bits(body, opset=13, five=ints(0, 2, 4, 6, 4), four=ints(-1, 8, 6, 4))


CONV = {"conv__weight": ramp(6, 2, 3, 3), "conv__bias": ramp(6)}
NORM = {f"bn__{name}": ramp(6, scale=0.5) + 1 for name in ("weight", "bias", "mean", "var")}


@pytest.mark.parametrize(
    "between",
    [
        "z = Relu(k)",
        "z = BatchNormalization(k, bn.weight, bn.bias, bn.mean, bn.var)",
        "m = Mul(k, v)\nz = Clip(m, , six)",
        "z = MaxPool<kernel_shape=[2,2]>(k)",
    ],
)
def test_a_convolution_read_in_parts_becomes_one_for_each(between):
    extra = {"v": ramp(6, 1, 1) + 1} if "Mul" in between else {}
    extra |= {"six": np.float32(0.2)} if "six" in between else {}
    extra |= NORM if "bn" in between else {}
    parts = "a, b = Split<axis=1>(z, sizes)\nd = Conv(a, own.weight)\nc = Add(b, d)"
    body = f"k = Conv(x, conv.weight, conv.bias)\n{between}\n{parts}\n{END}"
    model = parse(body, sizes=ints(2, 4), own__weight=ramp(4, 2, 1, 1), **CONV, **extra)
    canonical = canonicalize(model)
    kinds = [node.op_type for node in canonical.graph]
    assert kinds.count("Conv") == 3 and not {"Reshape", "Gather", "Concat"} & set(kinds)
    canonical_like(model, " ".join(kinds))
    shapes = {name: array.shape for name, array in parameters(canonical).items()}
    assert shapes["conv.weight"] == (2, 2, 3, 3) and shapes["conv_2.weight"] == (4, 2, 3, 3)
    assert shapes["conv.bias"] == (2,) and shapes["conv_2.bias"] == (4,)


def test_rows_of_a_layer_that_nobody_reads_are_gone():
    body = "f = Flatten(x)\nl = Gemm<transB=1>(f, w, b)\ny = Slice(l, start, end, one)"
    model = parse(body, w=ramp(5, 72), b=ramp(5), start=ints(1), end=ints(4), one=ints(1))
    canonical = canonical_like(model, "Flatten Gemm")
    assert [array.shape for array in parameters(canonical).values()] == [(3, 72), (3,)]


def test_a_depthwise_convolution_hands_the_parts_on():
    body = f"""k = Conv(x, conv.weight, conv.bias)
    r = Relu(k)
    w = Conv<group=6>(r, dw.weight)
    a, b = Split<axis=1>(w)
    c = Add(a, b)
    {END}"""
    model = parse(body, opset=13, dw__weight=ramp(6, 1, 3, 3), **CONV)
    canonical_like(model, "Conv Relu Conv Relu Conv Conv Add GlobalAveragePool Flatten")


def test_a_grouped_convolution_is_divided_between_groups_only():
    body = f"k = Conv<group=2>(x, w)\na, b = Split<axis=1>(k, s)\nc = Concat<axis=1>(b, a)\n{END}"
    weight = ramp(8, 4, 1, 1)
    whole = canonicalize(parse(body, "N,8,6,6", w=weight, s=ints(4, 4)))
    assert Counter(node.op_type for node in whole.graph)["Conv"] == 2
    for sizes in ((4, 4), (3, 5)):
        model = parse(body, "N,8,6,6", w=weight, s=ints(*sizes))
        canonical_like(model, " ".join(node.op_type for node in canonicalize(model).graph))


@pytest.mark.parametrize(
    "other", ["e = Relu(k)", "e = Slice(k, one, six, one)", "e = Slice(k, zero, four, one)"]
)
def test_a_convolution_that_is_also_read_otherwise_stays_one(other):
    """Rows in two layers would learn apart."""
    body = f"k = Conv(x, w)\n{other}\na = Slice(k, zero, two, one)\nh = GlobalAveragePool(e)\n"
    body += "c = Concat<axis=1>(a, a)\ng = GlobalAveragePool(c)\nj = Concat<axis=1>(g, h)\ny = Flatten(j)"
    numbers = {
        name: ints(number) for name, number in {"zero": 0, "one": 1, "two": 2, "four": 4, "six": 6}.items()
    }
    model = parse(body, w=ramp(6, 2, 3, 3), **numbers)
    kinds = [node.op_type for node in canonicalize(model).graph]
    assert kinds.count("Conv") == 1
    canonical_like(model, " ".join(kinds))


def test_halves_of_a_concat_are_its_inputs():
    start = "a = Relu(x)\nk = Concat<axis=1>(x, a, x)\n"
    body = f"{start}d, e = Split<axis=1>(k, s)\nf = Relu(d)\nc = Concat<axis=1>(e, f)\n{END}"
    model = parse(body, s=ints(4, 2))
    kinds = [node.op_type for node in canonicalize(model).graph]
    assert kinds == ["Relu", "Concat", "Relu", "Concat", "GlobalAveragePool", "Flatten"]
    canonical_like(model, " ".join(kinds))


def test_selections_of_selections_are_one():
    body = "a = Gather<axis=1>(x, w)\nb = Gather<axis=1>(a, v)\nc = Gather<axis=1>(b, v)\ny = Flatten(c)"
    kinds = same_bits(body, w=ints(3, 2, 1, 0), v=ints(3, 2, 1, 0))
    assert kinds["MaxPool"] == 4


def test_an_order_of_channels_goes_into_the_columns_of_its_readers():
    body = f"p = Gather<axis=1>(x, w)\na = Conv(p, u)\nb = Conv(p, v)\nc = Add(a, b)\n{END}"
    model = parse(body, "N,3,6,6", w=ints(2, 0, 1), u=ramp(4, 3, 3, 3), v=ramp(4, 3, 3, 3, scale=0.3))
    canonical_like(model, "Conv Conv Add GlobalAveragePool Flatten")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("c = Gather<axis=1>(x, w)", "runs of neighbours"),
        ("c = Gather<axis=0>(x, w)", "samples of a batch"),
        ("s = Slice(x, zero, one)\nc = Relu(s)", "samples of a batch"),
        ("n = GlobalAveragePool(x)\nf = Flatten(n)\ni = Cast<to=7>(f)\nc = Gather<axis=1>(x, i)", "Gather"),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name(body, message):
    order = np.random.default_rng(0).permutation(64)
    model = parse(f"{body}\ny = Flatten(c)", "N,64,2,2", w=order, zero=ints(0), one=ints(1))
    with pytest.raises(StepforwardError, match=message) as caught:
        canonicalize(model)
    assert "node" in caught.value.what


@pytest.mark.parametrize(
    "body",
    [
        "a = Pad(x, pads)\nc = Slice(a, zero, two, one, minus)",
        "p = MaxPool<kernel_shape=[9,9]>(x)\nc = Slice(p, zero, two, three, minus)",
        "a, b, d = Split<axis=3, num_outputs=3>(x)\ne = Slice(d, zero, two, three)\nc = Slice(e, zero, two, three)",
    ],
)
def test_a_slice_of_nothing_is_refused(body):
    """Where ONNX's inference of shapes ends the process."""
    numbers = {"zero": 0, "one": 1, "two": 2, "three": 3, "minus": -1}
    constants = {name: ints(number) for name, number in numbers.items()}
    model = parse(f"{body}\ny = Flatten(c)", "N,4,4,4", pads=ints(0, -9, 0, 0, 0, 0, 0, 0), **constants)
    if "Split" in body:
        model.graph.inputs[0].shape = ir.Shape(["N", 4, 4, 1])
    with pytest.raises(StepforwardError):
        canonicalize(model)
