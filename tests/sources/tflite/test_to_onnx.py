"""Float TensorFlow Lite files as float networks: each operator against LiteRT's interpreter, and what is refused."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from tflite_files import Floats

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import parse
from stepforward.sources.tflite.to_onnx.model import is_float, to_onnx


def ours(content, x):
    return run(canonicalize(to_onnx(parse(content, "m.tflite"), "m.tflite")).graph, x)


def theirs(content, x):
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="needs stepforward[tflite-test]")
    interpreter = litert.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in x:
        interpreter.reset_all_variables()
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(result["index"])[0])
    return np.stack(found)


def check(draft, positive=False):
    assert np.prod(draft.shape) > 1, "one logit would become two"
    content = draft.done()
    x = np.random.default_rng(1).normal(size=(3, *draft.tensors[draft.first][1][1:])).astype(np.float32)
    x = np.abs(x) + 0.1 if positive else x
    np.testing.assert_allclose(ours(content, x), theirs(content, x), rtol=2e-5, atol=2e-5)


few = settings(max_examples=12, deadline=None)
sizes = st.integers(1, 7)
images = st.tuples(st.just(1), st.integers(3, 9), st.integers(3, 9), st.integers(1, 5))
strides = st.integers(1, 3)
fused = st.sampled_from([0, 1, 2, 3])


def out(size, kernel, stride, dilation, same):
    return -(-size // stride) if same else (size - dilation * (kernel - 1) - 1) // stride + 1


@few
@given(images, st.tuples(*[st.integers(1, 3)] * 2), strides, st.booleans(), st.booleans(), fused, st.data())
def test_convolutions(shape, kernel, stride, same, depthwise, activation, data):
    dilation = data.draw(st.integers(1, 2)) if stride == 1 else 1
    n, height, width, channels = shape
    size = [out(size, k, stride, dilation, same) for size, k in zip((height, width), kernel, strict=True)]
    assume(min(size) > 0 and max(size) > 1)
    draft = Floats(shape)
    outputs = channels * data.draw(st.integers(1, 2)) if depthwise else data.draw(st.integers(1, 6))
    weight = draft.weights(1, *kernel, outputs) if depthwise else draft.weights(outputs, *kernel, channels)
    draft.then(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        (n, *size, outputs),
        weight,
        draft.weights(outputs),
        StrideH=stride,
        StrideW=stride,
        DilationHFactor=dilation,
        DilationWFactor=dilation,
        Padding=0 if same else 1,
        FusedActivationFunction=activation,
        **({"DepthMultiplier": outputs // channels} if depthwise else {}),
    )
    check(draft)


@few
@given(images, st.booleans(), st.data())
def test_mirrored_borders(shape, symmetric, data):
    _, *inner = shape
    pads = [(0, 0)] + [
        tuple(data.draw(st.integers(0, min(3, size - (not symmetric)))) for _ in range(2)) for size in inner
    ]
    draft = Floats(shape)
    places = draft.constant("pads", np.array(pads, np.int32))
    size = [n + before + after for n, (before, after) in zip(shape, pads, strict=True)]
    check(draft.then("MIRROR_PAD", size, places, Mode=int(symmetric)))


def lstm(draft, hidden, **options):
    """An LSTM over what came last, (N, T, features) or with time first; states of its own."""
    *_, features = draft.shape
    rows = [(hidden, features)] * 4 + [(hidden, hidden)] * 4
    places = [draft.weights(*shape) for shape in rows] + [-1] * 3 + [draft.weights(hidden) for _ in range(4)]
    batch = draft.shape[1 if options.get("TimeMajor") else 0]
    state = [
        draft.activation(f"state{len(draft.tensors)}", (batch, hidden), dtype="float32", variable=True)
        for _ in range(2)
    ]
    shape = (*draft.shape[:2], hidden)
    return draft.then(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        shape,
        *places,
        *[-1] * 2,
        *state,
        FusedActivationFunction=4,
        **options,
    )


def last_step(draft):
    n, time, width = draft.shape
    draft.then("SLICE", (n, 1, width), draft.integers(0, time - 1, 0), draft.integers(n, 1, width))
    return draft.then("RESHAPE", (n, width), draft.integers(n, width))


@few
@given(st.integers(1, 9), st.integers(1, 6), st.integers(2, 7), st.booleans())
def test_lstm(time, features, hidden, again):
    draft = lstm(Floats((1, time, features)), hidden)
    check(last_step(lstm(draft, hidden + 1) if again else draft))


@few
@given(st.integers(2, 9), st.integers(1, 6), st.integers(2, 7))
def test_lstm_with_time_first(time, features, hidden):
    draft = Floats((1, time, features))
    draft.then("TRANSPOSE", (time, 1, features), draft.integers(1, 0, 2))
    lstm(draft, hidden, TimeMajor=True)
    draft.then("SLICE", (1, 1, hidden), draft.integers(time - 1, 0, 0), draft.integers(1, 1, hidden))
    check(draft.then("RESHAPE", (1, hidden), draft.integers(1, hidden)))


@few
@given(st.integers(1, 9), st.integers(1, 6), st.integers(2, 7), st.booleans())
def test_lstm_backwards_next_to_one_forwards(time, features, hidden, all_steps):
    draft = Floats((1, time, features))
    lstm(draft, hidden)
    forward, draft.last = draft.last, draft.first
    draft.then("REVERSE_V2", (1, time, features), draft.integers(1))
    lstm(draft, hidden)
    draft.then("REVERSE_V2", (1, time, hidden), draft.integers(1))
    draft.then("CONCATENATION", (1, time, 2 * hidden), before=[forward], Axis=2, FusedActivationFunction=0)
    check(draft if all_steps else last_step(draft))


@few
@given(st.integers(1, 9), st.integers(1, 6), st.integers(2, 7), st.sampled_from([1, 4]))
def test_rnn(time, features, hidden, activation):
    draft = Floats((1, time, features))
    places = [draft.weights(hidden, features), draft.weights(hidden, hidden), draft.weights(hidden)]
    state = draft.activation("state", (1, hidden), dtype="float32", variable=True)
    draft.then(
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        (1, time, hidden),
        *places,
        state,
        FusedActivationFunction=activation,
        TimeMajor=False,
    )
    check(last_step(draft))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"CellClip": 3.0}, "it clips its cells"),
        ({"FusedActivationFunction": 1}, "another activation than TANH"),
    ],
)
def test_an_lstm_that_is_not_plain_is_refused_by_name(options, message):
    draft = last_step(lstm(Floats((1, 5, 4)), 3))
    code, inputs, outputs, given = draft.operators[0]
    draft.operators[0] = code, inputs, outputs, given | options
    with pytest.raises(StepforwardError, match=f"UNIDIRECTIONAL_SEQUENCE_LSTM 0 .*{message}"):
        to_onnx(parse(draft.done(), "m.tflite"), "m.tflite")


@few
@given(images, st.tuples(*[st.integers(1, 3)] * 2), strides, st.booleans(), st.booleans(), fused)
def test_pools(shape, kernel, stride, same, largest, activation):
    n, height, width, channels = shape
    assume(channels > 1)
    size = [out(size, k, stride, 1, same) for size, k in zip((height, width), kernel, strict=True)]
    code = "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D"
    options = {"FilterHeight": kernel[0], "FilterWidth": kernel[1], "StrideH": stride, "StrideW": stride}
    draft = Floats(shape).then(
        code, (n, *size, channels), Padding=0 if same else 1, FusedActivationFunction=activation, **options
    )
    check(draft)


@few
@given(st.lists(sizes, min_size=1, max_size=3), sizes, fused, st.booleans())
def test_fully_connected_layers(shape, outputs, activation, bias):
    draft = Floats((1, *shape))
    assume(np.prod(shape[:-1]) * outputs > 1)
    kept = (*draft.shape[:-1], outputs)
    others = [draft.weights(outputs, shape[-1]), draft.weights(outputs) if bias else -1]
    draft.then("FULLY_CONNECTED", kept, *others, KeepNumDims=True, FusedActivationFunction=activation)
    check(draft)


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL"])
@few
@given(images, st.sampled_from(["scalar", "channels"]), st.booleans(), fused, st.booleans())
def test_arithmetic_with_a_constant(code, shape, kind, constant_first, activation, after_a_layer):
    draft = Floats(shape)
    if after_a_layer:
        pointwise(draft)
    other = draft.constant("c", np.float32(0.7)) if kind == "scalar" else draft.weights(shape[3])
    before, others = ((other,), ()) if constant_first else ((), (other,))
    draft.then(code, shape, *others, before=before, FusedActivationFunction=activation)
    check(draft)


def pointwise(draft):
    """A layer, after which values lie channels first in the graph."""
    channels = draft.shape[3]
    draft.then(
        "CONV_2D", draft.shape, draft.weights(channels, 1, 1, channels), draft.weights(channels),
        StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1, Padding=1, FusedActivationFunction=0,
    )  # fmt: skip


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_arithmetic_of_two_computed_tensors_of_which_one_is_turned(code):
    draft = Floats((1, 4, 5, 3))
    pointwise(draft)
    turned = draft.last
    draft.last = draft.first
    own = {} if code in ("MAXIMUM", "MINIMUM") else {"FusedActivationFunction": 1}
    check(draft.then(code, (1, 4, 5, 3), turned, **own))


ONE = {
    **{code: {} for code in ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH")},
    **{code: {} for code in ("ELU", "ABS", "EXP", "NEG", "SQUARE")},
    "LEAKY_RELU": {"Alpha": 0.2},
    "GELU": {"Approximate": True},
    "SOFTMAX": {"Beta": 0.7},
}


@pytest.mark.parametrize("code", [*ONE, "SQRT", "LOG", "RSQRT"])
@pytest.mark.parametrize("after_a_layer", [False, True])
def test_functions(code, after_a_layer):
    positive = code in ("SQRT", "LOG", "RSQRT")
    draft = Floats((1, 3, 4, 5))
    if after_a_layer and not positive:
        pointwise(draft)
    draft.then(code, draft.shape, **ONE.get(code, {}))
    # a softmax at the end would be dropped
    check(draft.then("ABS", draft.shape), positive)


def test_prelu_has_a_slope_for_each_channel():
    draft = Floats((1, 3, 4, 5))
    pointwise(draft)
    check(draft.then("PRELU", draft.shape, draft.weights(1, 1, 5)))


@pytest.mark.parametrize("code", ["MEAN", "SUM", "REDUCE_MAX"])
@pytest.mark.parametrize("axes", [(1, 2), (1,), (2,), (3,), (-1,)])
@pytest.mark.parametrize("kept", [False, True])
def test_reductions(code, axes, kept):
    draft = Floats((1, 4, 5, 3))
    pointwise(draft)
    gone = [axis % 4 for axis in axes]
    shape = [1 if axis in gone else size for axis, size in enumerate(draft.shape)]
    shape = tuple(shape if kept else [size for axis, size in enumerate(shape) if axis not in gone])
    check(draft.then(code, shape, draft.integers(*axes), KeepDims=kept))


@pytest.mark.parametrize("after_a_layer", [False, True])
def test_moves_and_selections(after_a_layer):
    def begun():
        draft = Floats((1, 6, 5, 4))
        if after_a_layer:
            pointwise(draft)
        return draft

    draft = begun()
    check(draft.then("TRANSPOSE", (1, 5, 6, 4), draft.integers(0, 2, 1, 3)))
    draft = begun()
    check(draft.then("RESHAPE", (1, 10, 12), draft.integers(1, 10, 12)))
    draft = begun()
    pads = draft.constant("pads", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    check(draft.then("PAD", (1, 9, 6, 4), pads))
    draft = begun()
    check(draft.then("SLICE", (1, 3, 5, 2), draft.integers(0, 1, 0, 1), draft.integers(1, 3, -1, 2)))
    draft = begun()
    cuts = [draft.integers(*each) for each in ((0, 0, 1, 0), (1, 6, 5, 4), (1, 2, 2, 1))]
    check(draft.then("STRIDED_SLICE", (1, 3, 2, 4), *cuts, BeginMask=1, EndMask=9))
    draft = begun()
    cuts = [draft.integers(*each) for each in ((0, -2, 0, 0), (1, 0, 5, 4), (1, 1, 1, 1))]
    check(draft.then("STRIDED_SLICE", (1, 5, 4), *cuts, ShrinkAxisMask=2))
    draft = begun()
    check(draft.then("CONCATENATION", (1, 6, 5, 8), draft.last, Axis=-1, FusedActivationFunction=0))
    draft = begun()
    check(draft.then("GATHER", (1, 6, 5, 3), draft.integers(3, 0, 1), Axis=3))


def test_copies_and_sums_of_several():
    draft = Floats((1, 1, 3))
    check(draft.then("BROADCAST_TO", (1, 4, 3), draft.integers(1, 4, 3)))
    draft = Floats((1, 2, 3))
    check(draft.then("TILE", (1, 4, 3), draft.integers(1, 2, 1)))
    draft = Floats((1, 3, 4, 5)).then("ADD", (1, 3, 4, 5), 0, FusedActivationFunction=0)
    check(draft.then("ADD_N", (1, 3, 4, 5), 0, draft.first))


@pytest.mark.parametrize("after_a_layer", [False, True])
def test_what_is_seldom_met(after_a_layer):
    def begun(*shape):
        draft = Floats(shape or (1, 4, 6, 8))
        if after_a_layer and len(draft.shape) == 4:
            pointwise(draft)
        return draft

    draft = begun()
    check(draft.then("DEPTH_TO_SPACE", (1, 8, 12, 2), BlockSize=2))
    draft = begun()
    check(draft.then("SPACE_TO_DEPTH", (1, 2, 3, 32), BlockSize=2))
    draft = begun()
    check(draft.then("REDUCE_MIN", (1, 8), draft.integers(1, 2), KeepDims=False))
    draft = begun()
    check(draft.then("DIV", (1, 4, 6, 8), draft.constant("c", np.float32(0.7)), FusedActivationFunction=0))
    draft = begun().then("ABS", (1, 4, 6, 8))
    check(draft.then("POW", (1, 4, 6, 8), draft.constant("c", np.float32(2))))
    draft = begun()
    pads = draft.constant("pads", np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32))
    check(draft.then("PADV2", (1, 5, 8, 8), pads, draft.constant("fill", np.float32(0))))
    draft = begun(1, 4, 3).then("TANH", (1, 4, 3))
    check(draft.then("PACK", (1, 2, 4, 3), draft.first, Axis=1, ValuesCount=2))
    draft = begun(1, 2, 4, 3)
    parts = [draft.activation(name, (1, 4, 3), dtype="float32") for name in "ab"]
    draft.operator("UNPACK", [draft.last], parts, Axis=1, Num=2)
    draft.last = parts[1]
    check(draft.then("SUB", (1, 4, 3), parts[0], FusedActivationFunction=0))


@pytest.mark.parametrize("code", ["SPLIT", "SPLIT_V"])
def test_splits(code):
    draft = Floats((1, 4, 5, 6))
    pointwise(draft)
    parts = [draft.activation(name, (1, 4, 5, 3), dtype="float32") for name in "ab"]
    axis = draft.integers(3) if code == "SPLIT_V" else draft.constant("axis", np.int32(3))
    inputs = [axis, draft.last] if code == "SPLIT" else [draft.last, draft.integers(3, 3), axis]
    draft.operator(code, inputs, parts, NumSplits=2)
    draft.last = parts[1]
    check(draft.then("SUB", (1, 4, 5, 3), parts[0], FusedActivationFunction=0))


@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_two_computed_tensors(transposed):
    draft = Floats((1, 2, 5, 3))
    x = draft.last
    draft.then("TANH", (1, 2, 5, 3))
    if not transposed:
        draft.then("TRANSPOSE", (1, 2, 3, 5), draft.integers(0, 1, 3, 2))
    check(draft.then("BATCH_MATMUL", (1, 2, 5, 5), before=(x,), AdjX=False, AdjY=transposed))


def layer_norm(draft, weight=True, bias=True):
    """As converters write it: x * f + (bias - mean * f), f = weight / sqrt(variance + epsilon)."""
    x, shape = draft.last, draft.shape
    single, channels = (*shape[:-1], 1), shape[-1]
    mean = draft.then("MEAN", single, draft.integers(len(shape) - 1), KeepDims=True).last
    draft.last = x
    draft.then("SQUARED_DIFFERENCE", shape, mean)
    draft.then("MEAN", single, draft.integers(len(shape) - 1), KeepDims=True)
    draft.then("ADD", single, draft.constant("epsilon", np.float32(1e-3)), FusedActivationFunction=0)
    factor = draft.then("RSQRT", single).last
    if weight:
        factor = draft.then("MUL", shape, draft.weights(channels), FusedActivationFunction=0).last
    draft.last = x
    scaled = draft.then("MUL", shape, factor, FusedActivationFunction=0).last
    draft.last = mean
    draft.then("MUL", shape, factor, FusedActivationFunction=0)
    if bias:
        draft.then("SUB", shape, before=(draft.weights(channels),), FusedActivationFunction=0)
        return draft.then("ADD", shape, scaled, FusedActivationFunction=0)
    return draft.then("SUB", shape, before=(scaled,), FusedActivationFunction=0)


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_layer_norms_as_converters_write_them_are_layer_norms(weight, bias):
    draft = layer_norm(Floats((1, 5, 8)), weight, bias)
    content = draft.done()
    graph = canonicalize(to_onnx(parse(content, "m"), "m")).graph
    assert [node.op_type for node in graph] == ["LayerNormalization", "Flatten"]
    check(draft)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("code", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_resizing(code, half):
    draft = Floats((1, 4, 3, 2))
    check(draft.then(code, (1, 8, 9, 2), draft.integers(8, 9), HalfPixelCenters=half))


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_transposed_convolutions(same, stride):
    draft = Floats((1, 4, 3, 2))
    size = [n * stride if same else (n - 1) * stride + 3 for n in (4, 3)]
    weight = draft.weights(5, 3, 3, 2)
    made = draft.integers(1, *size, 5)
    draft.then(
        "TRANSPOSE_CONV", (1, *size, 5), before=(made, weight),
        StrideH=stride, StrideW=stride, Padding=0 if same else 1,
    )  # fmt: skip
    check(draft)


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_weights_of_fewer_bits_are_read_as_what_they_stand_for(kind):
    draft, rng = Floats((1, 6)), np.random.default_rng(3)
    if kind == "float16":
        stored = draft.constant("half", rng.normal(size=(4, 6)).astype(np.float16))
    else:
        stored = draft.constant(
            "q", rng.integers(-127, 128, (4, 6)).astype(np.int8), [0.01, 0.02, 0.03, 0.04]
        )
    weight = draft.activation("whole", (4, 6), dtype="float32")
    draft.operator("DEQUANTIZE", [stored], [weight])
    check(draft.then("FULLY_CONNECTED", (1, 4), weight, -1, FusedActivationFunction=0))


def test_hybrid_layers_are_read_and_noted():
    draft = Floats((1, 6))
    q = draft.constant("net/dense/MatMul", np.arange(-12, 12).reshape(4, 6).astype(np.int8), 0.05)
    draft.then("FULLY_CONNECTED", (1, 4), q, -1, FusedActivationFunction=0)
    content = draft.done()
    model = canonicalize(to_onnx(parse(content, "m"), "m"))
    assert "weights of 1 layers, first net/dense, are integers" in model.metadata_props["stepforward.notes"]
    x = np.float32(np.eye(6))
    np.testing.assert_allclose(run(model.graph, x), 0.05 * np.arange(-12, 12).reshape(4, 6).T, atol=1e-6)


@pytest.mark.parametrize(
    "make, why",
    [
        (lambda d: d.then("CUSTOM_THING", (1, 4)).then("WHILE", (1, 4)),
         r"custom CUSTOM_THING 0 \(y1\): a custom operator.*; WHILE 1 \(y2\): control flow"),
        (lambda d: d.then("TOPK_V2", (1, 4)).then("TANH", (1, 4)), r"TOPK_V2 0 \(y1\): not supported$"),
        (lambda d: d.then("FULLY_CONNECTED", (1, 4), d.weights(4, 3), -1), "a matrix is needed"),
        (lambda d: d.then("CONV_2D", (1, 4), d.weights(4, 1, 1, 4), -1), "images are needed"),
        (lambda d: d.then("DEQUANTIZE", (1, 4)), "it reads computed integers"),
        (lambda d: d.then("ADD", (1, 4), d.activation("state", (1, 4), dtype="float32", variable=True)),
         "state is a state that is kept between calls"),
        (lambda d: d.then("GATHER", (1, 4), d.activation("where", (4,), dtype="int32"), Axis=1),
         "its input where is no constant"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_refused_by_operator_and_tensor(make, why):
    draft = make(Floats((1, 4)))
    with pytest.raises(StepforwardError, match=f"m cannot be read: .*{why}".removesuffix("$")) as raised:
        to_onnx(parse(draft.done(), "m"), "m")
    assert "supported in float files: CONV_2D" in raised.value.remedy


def test_what_a_pass_refuses_is_named_as_in_the_file():
    draft = Floats((1, 8, 2))
    where = draft.constant("where", np.array([[0, 7, 2, 5], [6, 1, 4, 3]], np.int32))
    draft.then("TANH", (1, 8, 2)).then("GATHER", (1, 8, 2, 4, 2), where, Axis=0)
    with pytest.raises(StepforwardError, match="GATHER_1/y"):
        canonicalize(to_onnx(parse(draft.done(), "m"), "m"))


def test_a_file_of_floats_is_told_by_what_it_computes():
    from tflite_files import small

    draft, first, last = small()
    assert not is_float(parse(draft.content([first], [last]), "m"))
    y = draft.activation("result", (1, 3), None, dtype="float32")
    draft.operator("DEQUANTIZE", [last], [y])
    assert not is_float(parse(draft.content([first], [y]), "m"))
    assert is_float(parse(Floats((1, 4)).then("TANH", (1, 4)).done(), "m"))


def test_a_file_of_two_inputs_computes_what_it_did(tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="needs stepforward[tflite-test]")
    draft = Floats((1, 6, 6, 2))
    window = {"StrideH": 2, "StrideW": 2, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}
    draft.then("CONV_2D", (1, 3, 3, 4), draft.weights(4, 3, 3, 2), draft.weights(4), **window)
    draft.then("MEAN", (1, 4), draft.integers(1, 2))
    motion = draft.activation("motion", (1, 5), dtype="float32")
    draft.then("CONCATENATION", (1, 9), before=[motion], Axis=1)
    draft.then("FULLY_CONNECTED", (1, 3), draft.weights(3, 9), draft.weights(3))
    (tmp_path / "two.tflite").write_bytes(draft.content([draft.first, motion], [draft.last]))
    source = open_source(tmp_path / "two.tflite")
    assert [part.name for part in source.parts] == ["x", "motion"]
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape).astype(np.float32) for shape in ((1, 6, 6, 2), (1, 5))]
    interpreter = litert.Interpreter(model_content=(tmp_path / "two.tflite").read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    for detail, x in zip(interpreter.get_input_details(), given, strict=True):
        interpreter.set_tensor(detail["index"], x)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    row = np.concatenate([x.reshape(1, -1) for x in given], axis=1)
    np.testing.assert_allclose(run(source.float_model().graph, row), expected, rtol=2e-5, atol=2e-5)
