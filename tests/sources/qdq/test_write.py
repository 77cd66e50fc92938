"""The quantized file: what ONNX Runtime computes from it, and what reading it gives back."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.metadata import (
    get_class_names,
    get_preprocessing,
    set_class_names,
    set_preprocessing,
)
from stepforward.graph.nodes import is_quantized
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx, save_onnx
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.weights import with_weights
from stepforward.sources.qdq.write import quantize

NAMES = ["lenet5", "dscnn", "resnet8", "resnet20", "mobilenet", "conv4"]
DATA = Path(os.environ.get("STEPFORWARD_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(scope="module")
def quantized(exported):
    """quantized(name, bits): (canonical float graph, 16 samples, quantized model)."""
    networks = pytest.importorskip("networks")
    cache = {}

    def get(name, bits="16w8a"):
        if (name, bits) not in cache:
            canonical, x = canonicalize(exported(name)), networks.sample(name, 16)
            cache[name, bits] = canonical, x, quantize(canonical, x, QuantizationSettings.parse(bits))
        return cache[name, bits]

    return get


def small():
    """Every rule of formats in one graph: input -> Conv, Relu, MaxPool, a shared Conv, Clip, Concat, Add, Gemm."""
    model = parse(
        """a = Conv<pads=[1,1,1,1]>(x, a.weight, a.bias)
        r = Relu(a)
        m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
        p = Pad(m, pads)
        b = Conv(p, b.weight)
        c = Clip(b, lo, hi)
        g = MaxPool<kernel_shape=[1,1]>(b)
        d = Add(g, c)
        e = Relu(d)
        k = Concat<axis=1>(b, e)
        l = Clip(k, lo, hi)
        t = Transpose<perm=[0,2,3,1]>(l)
        f = Flatten(t)
        y = Gemm<transB=1>(f, fc.weight, fc.bias)""",
        a__weight=ramp(3, 2, 3, 3),
        a__bias=ramp(3),
        b__weight=ramp(3, 4, 1, 1, scale=0.5),
        fc__weight=ramp(5, 54),
        fc__bias=ramp(5),
        pads=np.array([0, 0, 0, 0, 0, 1, 0, 0]),
        lo=np.float32(-0.1),
        hi=np.float32(0.2),
    )
    return canonicalize(model)


def integers(model):
    graph = read_quantized(model)
    parameters = [item for node in graph.nodes for item in (node.weight, node.bias) if item is not None]
    return {item.name: item.q for item in parameters}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", ["16w8a", "8w8a", "4w8a"])
def test_file_passes_the_checker_and_reads_back_the_same_integers(name, bits, quantized, tmp_path):
    canonical, _, model = quantized(name, bits)
    path = tmp_path / "net.onnx"
    save_onnx(model, path)
    onnx.checker.check_model(path, full_check=True)
    loaded = load_onnx(path)
    assert is_quantized(loaded) and canonicalize(loaded) is loaded

    before, after = read_quantized(model), read_quantized(loaded)
    assert before.formats == after.formats
    assert (before.input, before.output) == (after.input, after.output)
    for old, new in zip(before.nodes, after.nodes, strict=True):
        assert (old.name, old.inputs, old.output, old.clip) == (new.name, new.inputs, new.output, new.clip)
        assert old.attributes == new.attributes
        for a, b in ((old.weight, new.weight), (old.bias, new.bias)):
            assert (a is None) == (b is None)
            assert a is None or (np.array_equal(a.q, b.q) and a.scale == b.scale and a.dtype == b.dtype)
    float_names = {
        value.name
        for node in canonical.graph
        if node.op_type in ("Conv", "Gemm")
        for value in node.inputs[1:]
    }
    assert set(integers(loaded)) == float_names


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runtime_agrees_with_the_float_network(name, quantized):
    canonical, x, model = quantized(name)
    expected, got = run(canonical.graph, x), run_ort(model, x)
    assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()


def test_coarser_weights_cost_accuracy_in_order(quantized):
    errors = []
    for bits in ("16w8a", "8w8a", "4w8a"):
        canonical, x, model = quantized("dscnn", bits)
        errors.append(np.abs(run(to_float(model).graph, x) - run(canonical.graph, x)).max())
    assert errors[0] < errors[1] / 20 < errors[1] < errors[2]


def test_every_rule_of_formats():
    canonical = small()
    x = samples(canonical, 20)
    model = quantize(canonical, x)
    graph = read_quantized(model)
    kinds = [node.op_type for node in graph.nodes]
    assert kinds == [
        *("Conv", "MaxPool", "Pad", "Conv", "Clip", "MaxPool", "Add", "Concat", "Clip", "Transpose"),
        *("Flatten", "Gemm"),
    ]
    conv, pool, pad, shared, clip, _, add, concat, lone, transpose, flatten, gemm = graph.nodes
    forms = graph.formats
    assert conv.clip == (0.0, None) and add.clip == (0.0, None)
    assert shared.clip == (None, None)  # read twice: its own values are needed
    assert clip.clip == lone.clip == (float(np.float32(-0.1)), float(np.float32(0.2)))
    assert forms[graph.input].zero_point == 0 and forms[conv.output].zero_point == -128
    assert forms[shared.output].zero_point == 0 and forms[add.output].zero_point == -128
    for node in (pool, pad, transpose, flatten):
        one, other = forms[node.inputs[0]], forms[node.output]
        assert (one.scale, one.zero_point) == (other.scale, other.zero_point)
    assert concat.inputs == (shared.output, add.output)
    assert pad.attributes == {"pads": (0, 0, 0, 0, 0, 1, 0, 0), "value": 0.0}
    assert forms[pad.output].shape == (4, 3, 3) and forms[graph.input].shape == (2, 6, 6)
    assert forms[gemm.output].dtype == "s16" and gemm.output == graph.output == "y"
    assert shared.bias.name == "b.bias" and not shared.bias.q.any()
    np.testing.assert_allclose(run_ort(model, x), run(canonical.graph, x), atol=0.02)


def test_activations_stay_below_half_a_step():
    """What ONNX Runtime rounds is what the formats say: the input's steps, seen through a network of copies."""
    canonical = canonicalize(parse("y = Flatten(x)", input_shape="N,1,2,2"))
    x = ramp(8, 1, 2, 2, scale=3)
    model = quantize(canonical, x)
    form = read_quantized(model).formats["x"]
    q = np.clip(np.rint(x / np.float32(form.scale)), -128, 127)
    assert np.array_equal(run_ort(model, x), (q * np.float32(form.scale)).reshape(8, 4).astype(np.float32))


def test_symmetric_settings_use_zero_point_zero_and_logits_bits_are_kept():
    canonical = small()
    settings = QuantizationSettings(symmetric=True, logits_bits=8)
    graph = read_quantized(quantize(canonical, samples(canonical, 20), settings))
    assert {(form.zero_point, form.dtype) for form in graph.formats.values()} == {(0, "s8")}


def test_non_negative_input_uses_every_step():
    canonical = small()
    model = quantize(canonical, np.abs(samples(canonical, 20)))
    assert read_quantized(model).formats["x"].zero_point == -128


@pytest.mark.parametrize("bits", ["16w8a", "4w8a"])
def test_empty_weights_and_channels_get_sane_scales(bits):
    weight, bias = ramp(4, 72), np.array([0.0, 1.0, -3.0, 2.0], np.float32)
    weight[1] = 0
    for array in (weight, weight * np.float32(1e-9), np.zeros_like(weight)):
        model = parse(
            "f = Flatten(x)\ny = Gemm<transB=1>(f, fc.weight, fc.bias)", fc__weight=array, fc__bias=bias
        )
        canonical = canonicalize(model)
        x = samples(canonical, 10)
        quantized = quantize(canonical, x, QuantizationSettings.parse(bits))
        gemm = read_quantized(quantized).nodes[-1]
        real = gemm.bias.q * np.broadcast_to(gemm.bias.scale, 4)
        np.testing.assert_allclose(real, bias, atol=1e-4)
        assert np.abs(gemm.bias.q).max() <= 2**30
        np.testing.assert_allclose(run_ort(quantized, x), run(canonical.graph, x), atol=0.2)


def test_the_weights_of_a_3x3_kernel_add_up_to_less_than_the_range(quantized):
    """Where Winograd's tiles suit the layer: 16 bits, stride one, eight channels or more."""
    suited = {"16w8a": 0, "8w8a": 0}
    for bits in suited:
        _, _, model = quantized("resnet20", bits)
        graph = read_quantized(model)
        for node in graph.nodes:
            if node.weight is None or node.weight.q.ndim != 4:
                continue
            q = np.abs(node.weight.q.astype(np.int64))
            sums = q.sum(axis=(2, 3)).max()
            if q.shape[1] >= 8 and node.attributes["strides"] == (1, 1) and bits == "16w8a":
                suited[bits] += 1
                assert 0.74 * 32767 < sums <= 0.75 * 32767 + 9
            else:
                assert q.max() == 2 ** (int(bits[:-3]) - 1) - 1
    assert suited == {"16w8a": 16, "8w8a": 0}


def test_weights_round_to_the_nearest_even_integer():
    weight = np.array([[127.0, 0.5, 1.5, -2.5]], np.float32)
    model = parse("f = Flatten(x)\ny = Gemm<transB=1>(f, w)", input_shape="N,1,2,2", w=weight)
    canonical = canonicalize(model)
    settings = QuantizationSettings.parse("8w8a")
    assert integers(quantize(canonical, samples(canonical), settings))["w"][-1].tolist() == [127, 0, 2, -2]


def test_16_bit_weights_that_make_logits_have_room_to_grow():
    """A fourth of the range; those of the layers before take all of it."""
    weight = np.array([[1.0, -0.5, 0.25, 0.0]], np.float32)
    text = "f = Flatten(x)\nh = Gemm<transB=1>(f, v)\nr = Relu(h)\ny = Gemm<transB=1>(r, w)"
    canonical = canonicalize(parse(text, input_shape="N,1,2,2", v=np.eye(4, dtype=np.float32), w=weight))
    found = integers(quantize(canonical, samples(canonical)))
    assert (abs(found["v"][-1]).max(), found["w"][-1].tolist()) == (32767, [8192, -4096, 2048, 0])


def test_metadata_travels_with_the_integers(tmp_path):
    canonical = small()
    set_class_names(canonical, list("abcde"))
    set_preprocessing(canonical, {"kind": "none"})
    save_onnx(quantize(canonical, samples(canonical)), tmp_path / "a.onnx")
    loaded = load_onnx(tmp_path / "a.onnx")
    assert loaded.metadata_props["stepforward.bits"] == "16w8a"
    assert get_class_names(loaded) == list("abcde") and get_preprocessing(loaded) == {"kind": "none"}
    assert not is_quantized(to_float(loaded)) and get_class_names(to_float(loaded)) == list("abcde")


def test_quantizing_does_not_change_the_float_model():
    canonical = small()
    before = ir.to_proto(canonical).SerializeToString(deterministic=True)
    quantize(canonical, samples(canonical))
    assert ir.to_proto(canonical).SerializeToString(deterministic=True) == before


def test_quantizing_twice_is_refused():
    canonical = small()
    model = quantize(canonical, samples(canonical))
    with pytest.raises(StepforwardError, match="already quantized"):
        quantize(model, samples(canonical))


def test_adapted_integers_come_back_from_the_file(tmp_path):
    canonical = small()
    model = quantize(canonical, samples(canonical))
    adapted = {name: np.where(q > 0, q - 1, q) for name, q in integers(model).items()}
    save_onnx(with_weights(model, adapted), tmp_path / "adapted.onnx")
    loaded = load_onnx(tmp_path / "adapted.onnx")
    assert all(np.array_equal(q, adapted[name]) for name, q in integers(loaded).items())
    assert not np.array_equal(integers(model)["a.weight"], adapted["a.weight"])
    run_ort(loaded, samples(canonical))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("nothing", np.zeros(3, np.int64), "no integer weight called 'nothing'"),
        ("a.weight", np.zeros((3, 2, 3), np.int64), "of shape"),
        ("a.bias", np.zeros(3, np.float32), "not float32"),
        ("a.weight", np.full((3, 2, 3, 3), -32768), "exceeds"),
    ],
)
def test_adapted_integers_that_do_not_fit_are_refused(name, array, message):
    canonical = small()
    model = quantize(canonical, samples(canonical))
    with pytest.raises(StepforwardError, match=message):
        with_weights(model, {name: array})


def test_dequantized_weights_are_what_onnx_runtime_sees():
    canonical = small()
    model = quantize(canonical, samples(canonical))
    weight = next(node for node in read_quantized(model).nodes if node.op_type == "Gemm").weight
    array = to_float(model).graph.initializers["fc.weight"].const_value.numpy()
    assert np.array_equal(array, weight.q.astype(np.float32) * np.float32(weight.scale[0]))


def test_resnet20_loses_less_than_one_point(quantized, tmp_path):
    torch = pytest.importorskip("torch")
    networks = pytest.importorskip("networks")
    weights = DATA / "pretrained" / "resnet_cifar10" / "resnet20-12fca82f.npz"
    if not weights.exists():
        pytest.skip(f"{weights} is not there (set STEPFORWARD_DATA)")
    from stepforward.sources.torch import from_torch

    network = networks.ResNet20()
    with np.load(weights) as state:
        network.load_state_dict({name: torch.as_tensor(state[name]) for name in state.files}, strict=False)
    with np.load(DATA / "cifar10" / "test.npz") as pack:
        images, labels = pack["images"][:400], pack["label"][:400]
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = ((images / np.float32(255) - mean) / deviation).transpose(0, 3, 1, 2)
    canonical = canonicalize(from_torch(network, x[:1]))
    model = quantize(canonical, x[300:])
    accuracies = [
        (logits.argmax(1) == labels[:300]).mean()
        for logits in (run(canonical.graph, x[:300]), run_ort(model, x[:300]))
    ]
    assert accuracies[0] > 0.85 and abs(accuracies[0] - accuracies[1]) < 0.01
