"""Input channels of very different size keep their information, and other networks stay as they are."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, run_ort

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx, save_onnx
from stepforward.sources.open import open_source
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

SIZES = np.array([0.1, 1, 30, 1e4], np.float32)


def noise(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def table(offset=0.0):
    """Features of four sizes, scaled inside the network as exporters write it, and data for it."""
    model = parse(
        "s = Sub(x, m)\nt = Mul(s, f)\nh = Gemm<transB=1>(t, a.weight, a.bias)\nr = Relu(h)\n"
        "y = Gemm<transB=1>(r, fc.weight)"
        if offset
        else "h = Gemm<transB=1>(x, a.weight, a.bias)\nr = Relu(h)\ny = Gemm<transB=1>(r, fc.weight)",
        input_shape="N,4",
        a__weight=noise(16, 4) / (1 if offset else SIZES),
        a__bias=noise(16),
        fc__weight=noise(3, 16),
        **({"m": np.float32(offset) * SIZES, "f": 1 / SIZES} if offset else {}),
    )
    return model, (noise(300, 4) + np.float32(offset)) * SIZES


def plane(pads):
    """Two planes of very different size after a batch norm, then a convolution."""
    return canonicalize(
        parse(
            f"n = BatchNormalization(x, g, b, m, v)\nc = Conv<pads={pads}>(n, c.weight, c.bias)\nr = Relu(c)\n"
            "p = GlobalAveragePool(r)\nf = Flatten(p)\ny = Gemm<transB=1>(f, fc.weight)",
            g=np.ones(2, np.float32),
            b=np.zeros(2, np.float32),
            m=np.zeros(2, np.float32),
            v=np.array([1e-4, 2500], np.float32),
            c__weight=noise(8, 2, 3, 3),
            c__bias=noise(8),
            fc__weight=noise(3, 8),
        )
    ), noise(60, 2, 6, 6) * np.array([0.01, 50], np.float32).reshape(2, 1, 1)


def test_channels_in_the_last_axis_are_scaled_alike():
    body = (
        "n = BatchNormalization(t, g, b, m, v)\nc = Conv<pads=[0, 0, 0, 0]>(n, c.weight, c.bias)\nr = Relu(c)\n"
        "p = GlobalAveragePool(r)\nf = Flatten(p)\ny = Gemm<transB=1>(f, fc.weight)"
    )
    weights = {
        "g": np.ones(2, np.float32),
        "b": np.zeros(2, np.float32),
        "m": np.array([0, 300], np.float32),
        "v": np.array([1e-4, 2500], np.float32),
        "c__weight": noise(8, 2, 3, 3),
        "c__bias": noise(8),
        "fc__weight": noise(3, 8),
    }
    x = noise(60, 2, 6, 5) * np.array([0.01, 50], np.float32).reshape(2, 1, 1) + np.float32(1)
    first = canonicalize(parse(body.replace("(t,", "(x,"), "N,2,6,5", **weights))
    last = canonicalize(parse(f"t = Transpose<perm=[0, 3, 1, 2]>(x)\n{body}", "N,6,5,2", **weights))
    models = quantize(first, x), quantize(last, np.moveaxis(x, 1, -1))
    read = [read_quantized(model) for model in models]
    assert read[0].factor == read[1].factor != ()
    assert read[0].offset == read[1].offset
    np.testing.assert_array_equal(run_ort(models[0], x), run_ort(models[1], np.moveaxis(x, 1, -1)))
    programs = [lower(open_source(model).network()) for model in models]
    assert programs[1].metadata["input_scaling"]["axis"] == 3
    integers = [
        logits_of(CoreEngine(program), quantize_input(program, samples))
        for program, samples in zip(programs, (x, np.moveaxis(x, 1, -1)), strict=True)
    ]
    np.testing.assert_array_equal(*integers)


@pytest.mark.parametrize(
    ("layers", "kernel"),
    [
        ("t = Transpose<perm=[0, 3, 2, 1]>(x)\nc = Conv<pads=[0, 0, 0, 0]>(t, c.weight, c.bias)", (4, 1, 1)),
        ("c = Conv<pads=[0, 0, 0, 0]>(x, c.weight, c.bias)", (1, 3, 4)),
    ],
    ids=["transposed", "kernel of its width"],
)
def test_features_along_another_axis_have_their_own_scales(layers, kernel):
    """Frames of features, (1, frames, features), as a keyword network reads them."""
    canonical = canonicalize(
        parse(
            f"{layers}\nr = Relu(c)\np = GlobalAveragePool(r)\nf = Flatten(p)\ny = Gemm<transB=1>(f, fc.weight)",
            "N,1,7,4",
            c__weight=noise(8, *kernel) / SIZES.reshape([4 if size == 4 else 1 for size in kernel]),
            c__bias=noise(8),
            fc__weight=noise(3, 8),
        )
    )
    x = (noise(200, 1, 7, 4) + np.float32(1)) * SIZES
    model = quantize(canonical, x)
    read = read_quantized(model)
    assert (read.axis, len(read.factor)) == (3, 4)
    assert answers_kept(canonical, model, x) > 0.95
    program = lower(open_source(model).network())
    logits = logits_of(CoreEngine(program), quantize_input(program, x))
    assert (logits.argmax(1) == run_ort(model, x).argmax(1)).mean() > 0.99


def answers_kept(canonical, model, x):
    return (run_ort(model, x).argmax(1) == run(canonical.graph, x).argmax(1)).mean()


def cases():
    first, x = table()
    direct = parse(
        "c = Conv<pads=[1,1,1,1]>(x, c.weight, c.bias)\nr = Relu(c)\np = GlobalAveragePool(r)\nf = Flatten(p)\n"
        "y = Gemm<transB=1>(f, fc.weight)",
        c__weight=noise(8, 2, 3, 3) / np.array([0.01, 50], np.float32).reshape(2, 1, 1),
        c__bias=noise(8),
        fc__weight=noise(3, 8),
    )
    far = parse(
        "h = Gemm<transB=1>(x, a.weight, a.bias)\nr = Relu(h)\ny = Gemm<transB=1>(r, fc.weight)",
        input_shape="N,4",
        a__weight=noise(16, 4),
        a__bias=-noise(16, 4) @ np.full(4, 1000, np.float32),
        fc__weight=noise(3, 16),
    )
    yield "table", canonicalize(first), x
    yield "far from zero", canonicalize(far), 1000 + noise(300, 4)
    yield "batch norm", *plane([1, 1, 1, 1])
    yield "padded convolution", canonicalize(direct), plane([0, 0, 0, 0])[1]


@pytest.mark.parametrize(
    ("name", "canonical", "x"), [*cases()], ids=lambda value: value if isinstance(value, str) else ""
)
def test_uneven_channels_keep_the_answers(name, canonical, x, tmp_path):
    model = quantize(canonical, x)
    assert answers_kept(canonical, model, x) > 0.95
    save_onnx(model, tmp_path / "q.onnx")
    onnx.checker.check_model(str(tmp_path / "q.onnx"), full_check=True)
    opened = open_source(tmp_path / "q.onnx")
    program = lower(opened.network())
    logits = (
        logits_of(CoreEngine(program), quantize_input(program, x)) * program.tensors[program.output].scale[0]
    )
    assert (logits.argmax(1) == run_ort(load_onnx(tmp_path / "q.onnx"), x).argmax(1)).mean() > 0.99
    np.testing.assert_allclose(
        run(to_float(opened.model).graph, x), run(canonical.graph, x), rtol=1e-3, atol=0.02
    )


def test_the_integers_are_those_of_onnx_runtime():
    """Sub, Mul and QuantizeLinear in ONNX Runtime give what quantize_input gives, to the last bit."""
    canonical, x = canonicalize(table()[0]), table()[1] + SIZES
    model = quantize(canonical, x)
    source = next(node for node in model.graph if node.op_type == "QuantizeLinear").outputs[0]
    assert source.producer().inputs[0].producer().op_type == "Mul"
    model.graph.outputs[0] = source
    program = lower(open_source(quantize(canonical, x)).network())
    assert np.array_equal(run_ort(model, x * np.float32(1.3)), quantize_input(program, x * np.float32(1.3)))


def test_even_channels_and_channels_that_do_not_matter_share_one_scale():
    plain = canonicalize(table()[0])
    even = canonicalize(
        parse(
            "h = Gemm<transB=1>(x, a.weight, a.bias)\ny = Gemm<transB=1>(h, fc.weight)",
            input_shape="N,4",
            a__weight=noise(16, 4),
            a__bias=noise(16),
            fc__weight=noise(3, 16),
        )
    )
    x = noise(300, 4)
    for canonical, data in ((even, x), (even, x * SIZES), (even, np.zeros_like(x)), (plain, x)):
        assert not read_quantized(quantize(canonical, data)).factor


def test_layers_that_mix_channels_first_are_left_alone():
    pooled = parse(
        "k = Concat<axis=1>(x, x)\nf = Flatten(k)\ny = Gemm<transB=1>(f, fc.weight)", fc__weight=noise(3, 144)
    )
    x = noise(50, 2, 6, 6) * np.array([0.01, 50], np.float32).reshape(2, 1, 1)
    assert not read_quantized(quantize(canonicalize(pooled), x)).factor


@pytest.mark.parametrize(
    "array",
    [np.ones(3), np.zeros(4), -np.ones(4), np.full(4, np.inf), np.ones((4, 1))],
    ids=["count", "zero", "negative", "infinite", "shape"],
)
def test_damaged_steps_are_refused(array):
    canonical, x = canonicalize(table()[0]), table()[1]
    model = quantize(canonical, x)
    value = model.graph.initializers["x.factor"]
    value.const_value = ir.tensor(array.astype(np.float32), name=value.name)
    value.shape = ir.Shape(array.shape)
    with pytest.raises(StepforwardError):
        read_quantized(model)


def test_metadata_that_does_not_fit_is_refused():
    program = lower(open_source(quantize(canonicalize(table()[0]), table()[1])).network())
    for broken in (
        {"factor": [1, 2]},
        {"factor": [1.0] * 4, "axis": 2},
        {"factor": "many"},
        {"factor": [None] * 4},
        [1],
        "text",
        3,
    ):
        program.metadata["input_scaling"] = broken
        with pytest.raises(StepforwardError, match="input_scaling"):
            quantize_input(program, table()[1])
