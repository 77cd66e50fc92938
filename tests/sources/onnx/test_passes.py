"""Each pass alone: the same function, fewer kinds of operators, kept names."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import canonical_like, parameters, parse, ramp, run_ort, samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.metadata import get_notes
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

HEAD = "g = GlobalAveragePool(c)\ny = Flatten(g)"


def test_shape_arithmetic_of_a_dynamic_batch_is_folded():
    model = parse(
        """s = Shape(x)
        zero = Constant<value_int=0>()
        n = Gather(s, zero)
        axes = Constant<value_ints=[0]>()
        n1 = Unsqueeze(n, axes)
        rest = Constant<value_ints=[-1]>()
        shape = Concat<axis=0>(n1, rest)
        f = Reshape(x, shape)
        y = Gemm<transB=1>(f, fc__weight)""".replace("__", "."),
        fc__weight=ramp(4, 72),
    )
    canonical = canonical_like(model, "Flatten Gemm")
    assert canonical.graph.outputs[0].shape.dims[1] == 4


def test_fixed_batch_becomes_dynamic():
    model = parse(
        "shape = Constant<value_ints=[1, 72]>()\nf = Reshape(x, shape)\ny = Gemm<transB=1>(f, w)",
        input_shape="1,2,6,6",
        w=ramp(4, 72),
    )
    canonical = canonical_like(model, "Flatten Gemm")
    assert not isinstance(canonical.graph.inputs[0].shape[0], int)


def test_transposed_weight_keeps_its_name():
    model = parse(
        "f = Flatten(x)\nt = Transpose<perm=[1, 0]>(fc.weight)\nm = MatMul(f, t)\ny = Add(m, fc.bias)",
        fc__weight=ramp(4, 72),
        fc__bias=ramp(4),
    )
    canonical = canonical_like(model, "Flatten Gemm")
    assert set(parameters(canonical)) == {"fc.weight", "fc.bias"}
    assert np.array_equal(parameters(canonical)["fc.weight"], ramp(4, 72))


def test_gemm_is_normalized():
    model = parse(
        "f = Flatten(x)\ny = Gemm<alpha=0.5, beta=2.0>(f, fc.weight, c)",
        fc__weight=ramp(72, 4),
        c=np.float32(0.25),
    )
    canonical = canonical_like(model, "Flatten Gemm")
    found = parameters(canonical)
    assert np.array_equal(found["fc.weight"], ramp(72, 4).T * np.float32(0.5))
    assert [array.shape for array in found.values()] == [(4, 72), (4,)]


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4), (1, 1)])
def test_biases_that_broadcast_to_the_outputs(shape):
    bias = ramp(*shape) + np.float32(0.5)
    canonical_like(parse("y = Gemm(x, w, b)", "N,6", w=ramp(6, 4), b=bias), "Gemm")
    canonical_like(parse("m = MatMul(x, w)\ny = Add(b, m)", "N,6", w=ramp(6, 4), b=bias), "Gemm")


@pytest.mark.parametrize("shape", [(4, 1), (1, 4, 1), (1, 1, 4), (4, 4), (3,), (0,)])
def test_biases_that_differ_between_samples_or_do_not_fit_are_refused(shape):
    """With a fixed batch of four, ONNX would give each sample a bias of its own."""
    for body in ("y = Gemm(x, w, b)", "m = MatMul(x, w)\ny = Add(m, b)"):
        with pytest.raises(StepforwardError):
            canonicalize(parse(body, "4,6", w=ramp(6, 4), b=ramp(*shape)))


@pytest.mark.parametrize("weight", [ramp(6), ramp(1, 6, 4), np.ones((6, 4), np.int64)])
def test_products_with_a_constant_that_is_no_matrix_of_floats_are_refused(weight):
    with pytest.raises(StepforwardError, match=r"(MatMul|Gemm) node") as caught:
        canonicalize(parse("y = MatMul(x, w)", "N,6", w=weight))
    assert "attention" not in caught.value.remedy


def test_an_empty_tensor_is_refused():
    with pytest.raises(StepforwardError, match="empty tensor"):
        canonicalize(parse("y = MatMul(x, w)", "N,6", w=np.zeros((6, 0), np.float32)))


BATCH_NORM = {
    "bn__weight": ramp(4) + 1,
    "bn__bias": ramp(4),
    "bn__running_mean": ramp(4, scale=0.5),
    "bn__running_var": ramp(4, scale=0.5) + 1,
}
NORM = "BatchNormalization({}, bn.weight, bn.bias, bn.running_mean, bn.running_var)"


def test_batch_norm_folds_into_the_convolution_before_it():
    model = parse(
        f"k = Conv<pads=[1,1,1,1]>(x, conv1.weight)\nc = {NORM.format('k')}\n{HEAD}",
        conv1__weight=ramp(4, 2, 3, 3),
        **BATCH_NORM,
    )
    canonical = canonical_like(model, "Conv GlobalAveragePool Flatten")
    assert set(parameters(canonical)) == {"conv1.weight", "conv1.bias"}


def test_batch_norm_folds_into_gemms_around_it():
    model = parse(
        f"f = Flatten(x)\na = Gemm<transB=1>(f, a.weight)\nb = {NORM.format('a')}\nr = Relu(b)\n"
        f"n = {NORM.format('r')}\ny = Gemm<transB=1>(n, b.weight)",
        a__weight=ramp(4, 72),
        b__weight=ramp(3, 4),
        **BATCH_NORM,
    )
    canonical_like(model, "Flatten Gemm Relu Gemm")


def test_lone_batch_norm_becomes_a_depthwise_convolution():
    model = parse(f"c = {NORM.format('x')}\n{HEAD}", input_shape="N,4,6,6", **BATCH_NORM)
    canonical = canonical_like(model, "Conv GlobalAveragePool Flatten")
    assert canonical.graph[0].attributes["group"].value == 4


def test_batch_norm_of_a_tensor_read_twice_stays_apart():
    model = parse(
        f"k = Conv(x, w)\nb = {NORM.format('k')}\nc = Add(k, b)\n{HEAD}", w=ramp(4, 2, 3, 3), **BATCH_NORM
    )
    canonical_like(model, "Conv Conv Add GlobalAveragePool Flatten")


@pytest.mark.parametrize(
    "arithmetic",
    ["b = Add(k, v)\nc = Mul(b, s)", "b = Sub(v, k)\nc = Div(b, s)", "b = Mul(s, k)\nc = Sub(b, v)"],
)
def test_arithmetic_with_constants_is_folded(arithmetic):
    model = parse(
        f"k = Conv(x, w)\n{arithmetic}\n{HEAD}",
        w=ramp(4, 2, 3, 3),
        v=ramp(4, 1, 1),
        s=np.float32(1.5),
    )
    canonical_like(model, "Conv GlobalAveragePool Flatten")


def test_constant_that_varies_between_positions_belongs_to_as_many_channels():
    model = parse(f"c = Add(x, v)\n{HEAD}", v=ramp(2, 6, 6))
    canonical_like(model, "Reshape Conv Reshape GlobalAveragePool Flatten")


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_auto_pad_becomes_explicit(auto_pad):
    model = parse(
        f'k = Conv<auto_pad="{auto_pad}", strides=[2,2]>(x, w)\n'
        f'c = AveragePool<auto_pad="{auto_pad}", kernel_shape=[2,2]>(k)\n{HEAD}',
        input_shape="N,2,9,8",
        w=ramp(4, 2, 3, 3),
    )
    canonical = canonical_like(model, "Conv AveragePool GlobalAveragePool Flatten")
    assert all("auto_pad" not in node.attributes for node in canonical.graph)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_ceil_mode_becomes_padding(kind):
    model = parse(
        f"c = {kind}<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)\n{HEAD}", input_shape="N,2,8,7"
    )
    canonical_like(model, f"{kind} GlobalAveragePool Flatten")


def test_zero_pad_merges_into_its_readers():
    model = parse(
        "p = Pad(x, pads)\na = Conv<pads=[0,1,0,1]>(p, v)\nb = Conv<pads=[0,1,0,1]>(p, w)\nc = Add(a, b)\n"
        + HEAD,
        pads=np.array([0, 0, 0, 1, 0, 0, 2, 1]),
        v=ramp(4, 2, 3, 3),
        w=ramp(4, 2, 3, 3, scale=0.2),
    )
    canonical = canonical_like(model, "Conv Conv Add GlobalAveragePool Flatten")
    assert canonical.graph[0].attributes["pads"].value == (0, 2, 2, 2)


def test_pad_before_a_pool_merges_only_where_exact():
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    pool = f"c = MaxPool<kernel_shape=[3,3]>(p)\n{HEAD}"
    canonical_like(
        parse(f"r = Relu(x)\np = Pad(r, pads)\n{pool}", pads=pads), "Relu MaxPool GlobalAveragePool Flatten"
    )
    canonical_like(parse(f"p = Pad(x, pads)\n{pool}", pads=pads), "Pad MaxPool GlobalAveragePool Flatten")
    average = f"p = Pad(x, pads)\nc = AveragePool<kernel_shape=[3,3]>(p)\n{HEAD}"
    canonical_like(parse(average, pads=pads), "AveragePool GlobalAveragePool Flatten")


def test_pad_of_channels_stays_with_constants():
    model = parse(
        f"c = Pad(x, pads, v, axes)\n{HEAD}", pads=np.array([1, 2]), v=np.float32(0.5), axes=np.array([1])
    )
    pad = canonical_like(model, "Pad GlobalAveragePool Flatten").graph[0]
    assert pad.inputs[1].const_value.numpy().tolist() == [0, 1, 0, 0, 0, 2, 0, 0]


@pytest.mark.parametrize("keep", [0, 1])
def test_mean_over_the_image_becomes_global_average_pool(keep):
    body = f"y = ReduceMean<keepdims={keep}>(x, axes)"
    canonical_like(parse(body, axes=np.array([-1, 2])), "GlobalAveragePool Flatten")
    old = f"y = ReduceMean<keepdims={keep}, axes=[2, 3]>(x)"
    canonical_like(parse(old, opset=13), "GlobalAveragePool Flatten")


def test_mean_over_channels_is_refused():
    with pytest.raises(
        StepforwardError, match=r"ReduceMean node .* over axes \[0, 1\] .* the batch included"
    ):
        canonicalize(parse("y = ReduceMean(x, axes)", axes=np.array([0, 1])))


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum", "ReduceMax"])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [("N,3,5,4", a) for a in ([1], [2], [3], [1, 2, 3], [1, 3])] + [("N,3,5", a) for a in ([1], [2])],
)
def test_a_reduction_over_any_axes_becomes_a_pool(kind, keep, shape, axes):
    sizes = [int(size) for size in shape.split(",")[1:]]
    length = int(np.prod([1 if axis in axes else size for axis, size in enumerate(sizes, 1)]))
    if len(axes) == len(sizes) and not keep:
        pytest.skip("nothing but the batch is left")
    body = f"c = {kind}<keepdims={keep}>(x, axes)\nf = Flatten(c)\ny = Gemm<transB=1>(f, w)"
    model = parse(body, input_shape=shape, axes=np.array(axes), w=ramp(4, length))
    x = np.abs(samples(model))  # means far from 0
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-5, atol=1e-5)
    program = lower(read_quantized(quantize(canonical, x)))
    logits = logits_of(CoreEngine(program), quantize_input(program, x))
    step = program.tensors[program.output].scale[0]
    np.testing.assert_allclose(logits * step, expected, atol=0.05 * np.abs(expected).max())


def test_strided_slices_become_one_pool():
    model = parse(
        f"a = Slice(x, zero, end, two, step)\nc = Slice(a, zero, end, three, step)\n{HEAD}",
        zero=np.array([0]),
        end=np.array([2**63 - 1]),
        two=np.array([2]),
        three=np.array([3]),
        step=np.array([2]),
        input_shape="N,2,7,6",
    )
    canonical = canonical_like(model, "MaxPool GlobalAveragePool Flatten")
    assert canonical.graph[0].attributes["strides"].value == (2, 2)


def test_clips_are_normalized():
    model = parse(
        "a = Clip(x, lo, six)\nb = Clip(a, , six)\nd = Clip(b, lo)\ne = Max(d, lo)\nf = Min(lo, e)\n"
        "i = Clip(f, low, inf)\ng = GlobalAveragePool(i)\ny = Flatten(g)",
        lo=np.float32(0),
        six=np.float32(6),
        low=np.float32(np.finfo(np.float32).min),
        inf=np.float32(np.inf),
    )
    canonical_like(model, "Clip Clip Relu Relu Clip GlobalAveragePool Flatten")


def test_every_layer_gets_a_bias():
    model = parse(f"c = Conv(x, stem.conv.weight)\n{HEAD}", stem__conv__weight=ramp(4, 2, 3, 3))
    found = parameters(canonical_like(model, "Conv GlobalAveragePool Flatten"))
    assert not found["stem.conv.bias"].any() and found["stem.conv.bias"].shape == (4,)


def test_a_shared_weight_stays_one_and_each_layer_has_its_own_bias():
    model = parse(
        f"a = Conv<pads=[1,1,1,1]>(x, tied.weight, zero)\nb = Conv<pads=[1,1,1,1]>(a, tied.weight, zero)\n"
        f"c = Conv<pads=[1,1,1,1]>(b, own.weight, zero)\n{HEAD}",
        tied__weight=ramp(2, 2, 3, 3),
        own__weight=ramp(2, 2, 3, 3),
        zero=np.zeros(2, np.float32),
    )
    canonical = canonical_like(model, "Conv Conv Conv GlobalAveragePool Flatten")
    layers = [node for node in canonical.graph if node.op_type == "Conv"]
    assert [layer.inputs[1].name for layer in layers] == ["tied.weight", "tied.weight", "own.weight"]
    assert [layer.inputs[2].name for layer in layers] == ["tied.bias", "tied_2.bias", "own.bias"]


def test_final_softmax_is_dropped_with_a_note():
    model = parse("f = Flatten(x)\nl = Gemm<transB=1>(f, w)\ny = Softmax<axis=1>(l)", w=ramp(4, 72))
    canonical = canonicalize(model)
    assert [node.op_type for node in canonical.graph] == ["Flatten", "Gemm"]
    assert canonical.graph.outputs[0].name == "logits"
    assert "Softmax" in get_notes(canonical)[0]


def test_what_changes_nothing_is_removed():
    model = parse(
        "a = Identity(x)\nd = Dropout(a)\ns = Reshape(d, same)\nt = Transpose<perm=[0,1,2,3]>(s)\n"
        "p = Pad(t, none)\nu = Cast<to=1>(p)\nc = Sum(u, u)\ng = GlobalMaxPool(c)\ny = Squeeze(g, hw)",
        same=np.array([0, 2, 6, 6]),
        none=np.zeros(8, np.int64),
        hw=np.array([2, 3]),
    )
    canonical_like(model, "Add MaxPool Flatten")


def test_concat_transpose_and_reshape_survive():
    model = parse(
        "a = Relu(x)\nb = Concat<axis=1>(a, x)\nt = Transpose<perm=[0,2,3,1]>(b)\nc = Reshape(t, shape)\n"
        + HEAD,
        shape=np.array([-1, 8, 6, 3]),
    )
    canonical = canonical_like(model, "Relu Concat Transpose Reshape GlobalAveragePool Flatten")
    assert canonical.graph[3].inputs[1].const_value.numpy().tolist() == [0, 8, 6, 3]


def test_dilated_grouped_asymmetric_convolution():
    model = parse(
        f"c = Conv<group=2, dilations=[2,1], strides=[1,2], pads=[2,0,1,1]>(x, w, b)\n{HEAD}",
        input_shape="N,4,7,6",
        w=ramp(6, 2, 3, 2),
        b=ramp(6),
    )
    canonical_like(model, "Conv GlobalAveragePool Flatten")


@pytest.mark.parametrize(("rank", "axis"), [(2, -1), (4, -1), (4, -2), (4, -3)])
def test_a_negative_axis_of_a_concat_counts_from_the_end(rank, axis):
    end = "y = Identity(k)" if rank == 2 else "g = GlobalAveragePool(k)\ny = Flatten(g)"
    start = "a = Flatten(x)\nb = Relu(a)" if rank == 2 else "a = Identity(x)\nb = Relu(x)"
    canonical = canonicalize(parse(f"{start}\nk = Concat<axis={axis}>(b, a)\n{end}"))
    concat = next(node for node in canonical.graph if node.op_type == "Concat")
    assert concat.attributes["axis"].value == rank + axis


def test_a_transpose_without_permutation_reverses():
    body = "f = Reshape(x, s)\nt = Transpose<perm=[0,2,1]>(f)\nc = Reshape(t, r)\n"
    model = parse(body + HEAD, s=np.array([0, 4, -1]), r=np.array([-1, 2, 6, 6]))
    canonical_like(model, "Reshape Transpose Reshape GlobalAveragePool Flatten")
    with pytest.raises(StepforwardError, match=r"Transpose node .* moves the batch"):
        canonicalize(parse("f = Flatten(x)\nt = Transpose(f)\nr = Relu(t)\ny = Flatten(r)"))


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_floats_are_read_as_float32(kind):
    dtype, code = {"float16": (np.float16, 10), "double": (np.float64, 11)}[kind]
    body = f"k = Cast<to={code}>(x)\nf = Flatten(k)\nr = Gemm<transB=1>(f, w, b)\ny = Cast<to=1>(r)"
    model = parse(body, w=ramp(4, 72).astype(dtype), b=ramp(4).astype(dtype))
    canonical = canonicalize(model)
    assert [node.op_type for node in canonical.graph] == ["Flatten", "Gemm"]
    assert all(array.dtype == np.float32 for array in parameters(canonical).values())
    assert kind in get_notes(canonical)[0]
    x = samples(model)
    np.testing.assert_allclose(run(canonical.graph, x), run_ort(model, x), rtol=0, atol=5e-3)


ENDS = {
    "gemm": ("Flatten Gemm", "y = Gemm<transB=1>(c, head.weight)"),
    "relu": ("Flatten Reshape Conv Flatten Relu Gemm", "r = Relu(c)\ny = Gemm<transB=1>(r, head.weight)"),
    "output": ("Flatten Reshape Conv Flatten", "y = Identity(c)"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "chain",
    [
        "a = Sub(f, m)\nc = Div(a, s)",
        "a = Mul(f, s)\nb = Neg(a)\nc = Add(m, b)",
        "a = Sub(m, f)\nb = Mul(a, half)\nd = Div(b, half)\nc = Sub(d, half)",
    ],
)
def test_constants_in_a_row_become_one_wherever_they_stand(chain, end):
    kinds, rest = ENDS[end]
    constants = {"m": ramp(72), "s": ramp(72) + 1.5, "half": np.float32(0.5), "head__weight": ramp(4, 72)}
    canonical_like(parse(f"f = Flatten(x)\n{chain}\n{rest}", **constants), kinds)


def test_constants_before_a_flatten_go_into_the_layer_after_it():
    body = "a = Sub(x, m)\nb = Div(a, s)\nf = Flatten(b)\ny = Gemm<transB=1>(f, w)"
    canonical_like(parse(body, m=ramp(2, 1, 1), s=ramp(1, 2, 1, 1) + 1.5, w=ramp(4, 72)), "Flatten Gemm")


def test_constants_in_a_row_on_an_image_become_one_convolution():
    body = f"a = Sub(x, m)\nb = Div(a, s)\nn = Neg(b)\nc = Conv<pads=[1,1,1,1]>(n, w)\n{HEAD}"
    model = parse(body, m=ramp(2, 1, 1), s=np.float32(0.25), w=ramp(4, 2, 3, 3))
    canonical_like(model, "Conv Conv GlobalAveragePool Flatten")


def test_constants_on_a_tensor_of_three_axes():
    body = "r = Reshape(x, three)\na = Mul(r, s)\nb = Add(a, s)\nf = Relu(b)\ny = Flatten(f)"
    model = parse(body, three=np.array([0, 2, 36]), s=ramp(2, 1) + 1)
    canonical_like(model, "Reshape Reshape Conv Reshape Relu Flatten")


def test_constants_on_a_tensor_of_five_axes():
    body = "r = Reshape(x, five)\na = Mul(r, s)\nf = Relu(a)\ny = Flatten(f)"
    model = parse(body, five=np.array([0, 2, 3, 2, 6]), s=ramp(2, 1, 1, 1) + 1)
    canonical_like(model, "Reshape Reshape Conv Reshape Relu Flatten")


def test_a_network_without_operators_is_refused():
    model = parse("y = Identity(x)", input_shape="N,4")
    model.graph.outputs[0] = model.graph.inputs[0]
    with pytest.raises(StepforwardError, match="output 'x' is its input"):
        canonicalize(model)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("c = Transpose<perm=[0,2,1]>(x)", "orders 4 axes by"),
        ("a, c = Split<axis=1, num_outputs=2147483648>(x)", "2,147,483,648 outputs and has 2"),
        ("a = Slice(x, scalar, one)\nc = Relu(a)", "Slice node 'a'"),
        ("c = BatchNormalization(x, two, two, three, two)", "statistics of shapes"),
        (
            "k = Conv(x, w, none)\nc = BatchNormalization(k, two, two, two, two)",
            "bias .0,. of Conv node 'k' do not fit",
        ),
        ("k = Conv(x, w, none)\na, c = Split<axis=1>(k)", "bias .0,. of Conv node 'k' do not fit"),
        ('c = Conv<auto_pad="SAME">(x, w)', "auto_pad 'SAME'"),
        ("c = MaxPool<kernel_shape=[7,2], strides=[2,2]>(x)", "window of .7, 2. on an image of .6, 6."),
        ("c = GatherND<batch_dims=-100>(x, one)", "batch_dims -100"),
        ("c = Conv<strides=[1,4611686018427387904]>(x, w)", "stride, dilation or padding of 4,611,"),
        ("r = Reshape(x, solid)\nc = GlobalAveragePool(r)", "only .N, C, H, W. can be pooled"),
    ],
)
def test_nodes_that_do_not_fit_what_they_read_are_named(body, message):
    constants = {
        "scalar": np.int64(0),
        "one": np.array([1]),
        "solid": np.array([0, 2, 3, 3, 4]),
        "none": ramp(0),
        "w": ramp(2, 2, 3, 3),
    }
    model = parse(
        f"{body}\ny = Flatten(c)",
        two=np.ones(2, np.float32),
        three=np.ones(3, np.float32),
        opset=18 if "num_" in body else 13,
        **constants,
    )
    with pytest.raises(StepforwardError, match=message):
        canonicalize(model)


def test_a_chain_read_twice_is_folded_up_to_there():
    body = f"a = Sub(x, m)\nb = Div(a, m)\nc = Add(a, b)\n{HEAD}"
    canonical_like(parse(body, m=ramp(2, 1, 1) + 1), "Conv Conv Add GlobalAveragePool Flatten")


def test_a_quotient_of_tensors_becomes_a_product_and_a_difference_a_sum():
    pool = "p = GlobalAveragePool(x)\ne = Exp(p)"
    kinds = "GlobalAveragePool Exp Reciprocal Mul GlobalAveragePool Flatten"
    canonical_like(parse(f"{pool}\nc = Div(x, e)\n{HEAD}"), kinds)
    canonical_like(
        parse(f"{pool}\nc = Sub(x, p)\n{HEAD}"), "GlobalAveragePool Neg Add GlobalAveragePool Flatten"
    )


def test_slopes_of_channels_become_a_sum_of_products():
    slopes = np.array([0.1, 0.5, -0.2, 0], np.float32).reshape(4, 1, 1)
    body = f"a = Conv(x, w)\nc = PRelu(a, s)\n{HEAD}"
    kinds = "Conv Relu Conv Conv Add GlobalAveragePool Flatten"
    canonical_like(parse(body, w=ramp(4, 2, 1, 1), s=slopes), kinds)


@pytest.mark.parametrize("keep", [0, 1])
def test_maximum_over_the_image_becomes_a_max_pool(keep):
    body = f"c = ReduceMax<keepdims={keep}>(x, axes)\ny = Flatten(c)"
    canonical = canonicalize(parse(body, axes=np.array([-1, -2])))
    assert [node.op_type for node in canonical.graph] == ["MaxPool", "Flatten"]
    canonical_like(parse(body, axes=np.array([2, 3])), "MaxPool Flatten")


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceMax"])
@pytest.mark.parametrize(("axes", "keep"), [([1, 2], 0), ([1, 2], 1), ([1, -1], 1)])
def test_reductions_of_an_image_with_channels_last(kind, axes, keep):
    pool = "GlobalAveragePool" if kind == "ReduceMean" else "MaxPool"
    perm = "[0,2,3,1]" if axes == [1, 2] else "[0,2,1,3]"
    body = f"t = Transpose<perm={perm}>(x)\nm = {kind}<keepdims={keep}>(t, axes)\ny = Flatten(m)"
    canonical_like(parse(body, axes=np.array(axes), input_shape="N,2,5,6"), f"{pool} Flatten")


@pytest.mark.parametrize("count", [3, 4])
def test_a_sum_of_several_is_added_up_in_twos(count):
    body = f"a = Relu(x)\nb = Conv(x, w)\nc = Sum({', '.join(['a', 'b', 'x', 'a'][:count])})\n{HEAD}"
    canonical_like(
        parse(body, w=ramp(2, 2, 1, 1)), "Relu Conv" + " Add" * (count - 1) + " GlobalAveragePool Flatten"
    )


def held_to_onnx_runtime(body, **weights):
    """The canonical graph computes the same, with at most five axes (batch counted); its operators."""
    model = parse(body, input_shape="N,8,6,4", **weights)
    x = samples(model)
    canonical = canonicalize(model)
    assert all(len(node.outputs[0].shape) <= 5 for node in canonical.graph)
    assert np.array_equal(run(canonical.graph, x), run_ort(model, x).reshape(len(x), -1))
    return [node.op_type for node in canonical.graph]


def test_channel_shuffle():
    body = "r = Reshape(x, a)\nt = Transpose<perm=[0,2,1,3,4]>(r)\nu = Reshape(t, b)\ny = Flatten(u)"
    kinds = held_to_onnx_runtime(body, a=np.array([0, 2, 4, 6, 4]), b=np.array([-1, 8, 6, 4]))
    assert kinds == ["Reshape", "Transpose", "Flatten"]


@pytest.mark.parametrize(
    "operator",
    [
        "SpaceToDepth<blocksize=2>",
        "DepthToSpace<blocksize=2>",
        'DepthToSpace<blocksize=2, mode="CRD">',
    ],
)
def test_blocks_of_pixels_and_channels_change_places(operator):
    held_to_onnx_runtime(f"c = {operator}(x)\nr = Relu(c)\ny = Flatten(r)")


@pytest.mark.parametrize("perm", ["0,6,5,4,3,2,1", "0,2,4,6,1,3,5", "0,4,1,6,2,5,3", "0,1,2,3,5,4,6"])
def test_any_order_of_many_axes(perm):
    body = (
        f"r = Reshape(x, a)\nt = Transpose<perm=[{perm}]>(r)\nc = Reshape(t, b)\nd = Relu(c)\ny = Flatten(d)"
    )
    held_to_onnx_runtime(body, a=np.array([0, 2, 4, 3, 2, 2, 2]), b=np.array([-1, 6, 8, 4]))


def test_a_reshape_across_the_pieces_starts_again():
    """(8, 24) does not divide into the twelves and sixteens that follow: two permutations in a row."""
    body = """r = Reshape(x, a)
    t = Transpose<perm=[0,2,1,3,4]>(r)
    u = Reshape(t, b)
    v = Transpose<perm=[0,2,1,3,4]>(u)
    y = Flatten(v)"""
    held_to_onnx_runtime(body, a=np.array([0, 2, 4, 6, 4]), b=np.array([0, 12, 4, 2, 2]))


def test_orders_that_cancel_out_are_gone():
    body = "t = Transpose<perm=[0,2,3,1]>(x)\nu = Transpose<perm=[0,3,1,2]>(t)\nc = Relu(u)\ny = Flatten(c)"
    assert held_to_onnx_runtime(body) == ["Relu", "Flatten"]


def test_axes_that_mix_the_batch_are_refused():
    body = "r = Reshape(x, a)\nt = Transpose<perm=[1,0,2,3,4]>(r)\nu = Reshape(t, b)\ny = Flatten(u)"
    with pytest.raises(StepforwardError, match="batch"):
        canonicalize(parse(body, a=np.array([0, 2, 1, 6, 6]), b=np.array([-1, 2, 6, 6])))


@pytest.mark.parametrize("end", ["y = Identity(l)", "y = Sigmoid(l)", "s = Sigmoid(l)\ny = Flatten(s)"])
@pytest.mark.parametrize(
    "layers",
    [
        "f = Flatten(x)\nl = Gemm<transB=1>(f, fc.weight, fc.bias)",
        "k = Conv(x, conv.weight)\ng = GlobalAveragePool(k)\nl = Flatten(g)",
        "k = Conv(x, conv.weight)\nr = Relu(k)\nl = ReduceMean<keepdims=0>(r, hw)",
    ],
)
def test_one_logit_becomes_zero_and_itself(layers, end):
    weights = {
        "fc__weight": ramp(1, 72),
        "fc__bias": ramp(1) + 1,
        "conv__weight": ramp(1, 2, 3, 3),
        "hw": np.array([2, 3]),
    }
    x = samples(parse(f"{layers}\ny = Identity(l)", **weights))
    expected = run_ort(parse(f"{layers}\ny = Identity(l)", **weights), x).reshape(-1)
    canonical = canonicalize(parse(f"{layers}\n{end}", **weights))
    result = run(canonical.graph, x)
    assert result.shape == (len(x), 2) and not result[:, 0].any()
    np.testing.assert_allclose(result[:, 1], expected, rtol=1e-5, atol=1e-5)
    assert canonical.graph.outputs[0].shape.dims[1] == 2
    assert any("one logit" in note for note in get_notes(canonical))


def test_a_sigmoid_of_several_outputs_is_multi_label():
    model = parse("f = Flatten(x)\nl = Gemm<transB=1>(f, w)\ny = Sigmoid(l)", w=ramp(4, 72))
    with pytest.raises(StepforwardError, match="multi-label"):
        canonicalize(model)


def test_one_output_that_no_layer_gives_is_refused():
    model = parse(
        "k = Conv(x, w)\nc = Add(k, k)\ng = GlobalAveragePool(c)\ny = Flatten(g)", w=ramp(1, 2, 3, 3)
    )
    with pytest.raises(StepforwardError, match="one output 'y'"):
        canonicalize(model)


def test_a_softmax_before_a_change_of_shape_is_dropped():
    model = parse("g = GlobalAveragePool(x)\ns = Softmax<axis=1>(g)\ny = Flatten(s)")
    assert [node.op_type for node in canonicalize(model).graph] == ["GlobalAveragePool", "Flatten"]


def test_another_value_may_be_called_logits():
    body = "f = Flatten(x)\nlogits = Gemm<transB=1>(f, w)\nr = Relu(logits)\nl = Gemm<transB=1>(r, v)\ny = Softmax(l)"
    canonical = canonicalize(parse(body, w=ramp(4, 72), v=ramp(3, 4)))
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    weight = parse("f = Flatten(x)\nl = Gemm<transB=1>(f, logits)\ny = Softmax(l)", logits=ramp(4, 72))
    onnx.checker.check_model(ir.to_proto(canonicalize(weight)), full_check=True)


def test_a_folded_constant_takes_the_name_of_what_computed_it():
    body = "k = Constant<value_floats=[1.0, 2.0, 3.0, 4.0]>()\nval_6 = Add(k, j)\nc = Conv(x, stem.weight, val_6)\n"
    canonical = canonical_like(
        parse(body + HEAD, stem__weight=ramp(4, 2, 3, 3), j=ramp(4)), "Conv GlobalAveragePool Flatten"
    )
    assert set(parameters(canonical)) == {"stem.weight", "stem.bias"}
