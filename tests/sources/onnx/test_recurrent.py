"""GRU, LSTM and RNN as exporters write them: the same function, one operator for each direction, the same integers."""

import io
import warnings
from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

TURN = "t = Transpose<perm=[1, 0, 2]>(x)"
HEAD = "y = Gemm<transB=1>(f, u, d)"


def weights(kind="GRU", directions=1, hidden=5, features=4, layer=""):
    """Of a layer, as ONNX has them."""
    rows = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind] * hidden
    rng = np.random.default_rng(rows + directions + features)
    shapes = {"w": (rows, features), "r": (rows, hidden), "b": (2 * rows,)}
    return {
        f"{name}{layer}": rng.uniform(-1, 1, (directions, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def held(model, shape_of_kinds=None):
    """A network that is held to ONNX Runtime on its way to integers; its canonical graph, and its operators."""
    x = samples(model, 24)
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run_ort(canonical, x), expected, rtol=1e-4, atol=1e-5)
    quantized = quantize(canonical, x)
    program = lower(read_quantized(quantized))
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    found = logits * program.tensors[program.output].scale[0]
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    np.testing.assert_allclose(run_ort(quantized, x), found, atol=0.03 * np.abs(expected).max())
    np.testing.assert_allclose(
        run(to_float(quantized).graph, x), expected, atol=0.01 * np.abs(expected).max()
    )
    again = canonicalize(to_float(quantized))  # the same graph, also after functions were inlined
    assert [node.op_type for node in again.graph if node.op_type in ("GRU", "LSTM", "RNN", "Conv")] == [
        node.op_type for node in canonical.graph if node.op_type in ("GRU", "LSTM", "RNN", "Conv")
    ]
    return canonical, Counter(op.kind for op in program.ops)


def network(body, width=5, **more):
    sizes = {"u": ramp(3, width), "d": ramp(3), "one": np.array([1]), "none": np.array([0])}
    last = {"end": np.array(-1), "start": np.array(0)}
    return parse(f"{body}\n{HEAD}", "N,7,4", opset=18, **sizes, **last, **more)


LAST = "a = Transpose<perm=[1, 0, 2]>(s)\nf = Gather<axis=1>(a, end)"


@pytest.mark.parametrize("reset", [0, 1])
def test_both_resets_of_a_gru(reset):
    body = f"{TURN}\nz, h = GRU<hidden_size=5, linear_before_reset={reset}>(t, w, r, b)\ns = Squeeze(z, one)\n{LAST}"
    canonical, kinds = held(network(body, **weights()))
    assert (kinds["gru"], kinds["conv"]) == (1, 1)
    (node,) = [node for node in canonical.graph if node.op_type == "GRU"]
    assert [value.name for value in node.inputs[1:]] == ["gru.state.weight", "gru.state.bias"]


@pytest.mark.parametrize(
    ("kind", "body", "width", "directions"),
    [
        ("LSTM", "z, h, c = LSTM<hidden_size=5>(t, w, r, b)\ns = Squeeze(z, one)\n" + LAST, 5, 1),
        ("LSTM", "z, h, c = LSTM<hidden_size=5>(t, w, r, b)\nf = Gather<axis=0>(h, end)", 5, 1),
        ("LSTM", "z, h, c = LSTM<hidden_size=5>(t, w, r, b)\nf = Squeeze(h, none)", 5, 1),
        ("GRU", 'z, h = GRU<hidden_size=5, direction="reverse">(t, w, r)\nf = Squeeze(h, none)', 5, 1),
        (
            "GRU",
            "z, h = GRU<hidden_size=5>(t, w, r, b)\ns = Squeeze(z, one)\nf = Gather<axis=0>(s, end)",
            5,
            1,
        ),
        (
            "GRU",
            "z, h = GRU<hidden_size=5>(t, w, r, b)\ns = Squeeze(z, one)\nf = ReduceMean<keepdims=0>(s, none)",
            5,
            1,
        ),
        (
            "GRU",
            """z, h = GRU<hidden_size=5, direction="bidirectional">(t, w, r)
            v = Transpose<perm=[1, 0, 2]>(h)
            f = Flatten(v)""",
            *(10, 2),
        ),
        (
            "LSTM",
            """z, h, c = LSTM<hidden_size=5, direction="bidirectional">(t, w, r, b)
            q = Transpose<perm=[2, 0, 1, 3]>(z)
            v = Reshape(q, joined)
            f = ReduceMax<keepdims=0>(v, one)""",
            *(10, 2),
        ),
        ("RNN", "z, h = RNN<hidden_size=5>(t, w, r, b)\ns = Squeeze(z, one)\n" + LAST, 5, 1),
        ("RNN", 'z, h = RNN<hidden_size=5, activations=["Relu"]>(t, w, r, b)\nf = Squeeze(h, none)', 5, 1),
        (
            "RNN",
            """z, h = RNN<hidden_size=5, direction="bidirectional", activations=["Relu", "Tanh"]>(t, w, r, b)
            v = Transpose<perm=[1, 0, 2]>(h)
            f = Flatten(v)""",
            *(10, 2),
        ),
    ],
)
def test_what_is_read_of_the_states(kind, body, width, directions):
    more = weights(kind, directions) | {"joined": np.array([0, 7, 10])}
    _, kinds = held(network(f"{TURN}\n{body}", width, **more))
    assert kinds[kind.lower()] == directions


def test_each_channel_of_samples_by_time_has_a_scale_of_its_own():
    sizes = np.array([1, 1, 1, 400], np.float32)
    more = weights()
    body = f"{TURN}\nz, h = GRU<hidden_size=5>(t, w, r, b)\nf = Squeeze(h, none)"
    canonical = canonicalize(network(body, **more | {"w": more["w"] / sizes}))
    found = read_quantized(quantize(canonical, samples(network(body, **more), 40) * sizes))
    assert found.axis == 2 and len(found.factor) == 4


def test_layers_after_each_other_and_their_last_states():
    body = f"""{TURN}
    z1, h1 = GRU<hidden_size=5, direction="bidirectional">(t, w1, r1, b1)
    q1 = Transpose<perm=[0, 2, 1, 3]>(z1)
    x2 = Reshape(q1, joined)
    z2, h2 = GRU<hidden_size=5, direction="bidirectional">(x2, w2, r2, b2)
    h = Concat<axis=0>(h1, h2)
    e1 = Gather<axis=0>(h, start)
    e2 = Gather<axis=0>(h, end)
    f = Concat<axis=1>(e1, e2)"""
    more = weights("GRU", 2, layer="1") | weights("GRU", 2, features=10, layer="2")
    _, kinds = held(network(body, 10, joined=np.array([7, -1, 10]), **more))
    assert (kinds["gru"], kinds["conv"]) == (3, 3)  # nothing reads one of the second layer's directions


CUTS = {"two": np.array([2]), "five": np.array([5]), "last": np.array([-1]), "most": np.array([2**31 - 1])}


def test_directions_and_last_steps_as_converters_of_keras_cut_them():
    body = f"""{TURN}
    z1, h1, c1 = LSTM<hidden_size=5, direction="bidirectional">(t, w1, r1, b1)
    back1 = Slice(z1, one, two, one)
    q1 = Squeeze(back1, one)
    ahead1 = Slice(z1, none, one, one)
    p1 = Squeeze(ahead1, one)
    x2 = Concat<axis=2>(p1, q1)
    z2, h2, c2 = LSTM<hidden_size=5, direction="bidirectional">(x2, w2, r2, b2)
    back2 = Slice(z2, one, two, one)
    q2 = Squeeze(back2, one)
    first2 = Slice(q2, none, one, none)
    e2 = Squeeze(first2, none)
    ahead2 = Slice(z2, none, one, one)
    p2 = Squeeze(ahead2, one)
    last2 = Slice(p2, last, most, none)
    e1 = Squeeze(last2, none)
    f = Concat<axis=1>(e1, e2)"""
    more = weights("LSTM", 2, layer="1") | weights("LSTM", 2, features=10, layer="2")
    canonical, kinds = held(network(body, 10, **CUTS, **more))
    assert (kinds["lstm"], kinds["conv"], kinds["concat"]) == (4, 4, 2)
    assert "Slice" not in {node.op_type for node in canonical.graph}


def test_steps_that_follow_each_other_go_into_the_next_layer():
    body = f"""{TURN}
    z1, h1 = GRU<hidden_size=5>(t, w1, r1, b1)
    s1 = Squeeze(z1, one)
    some = Slice(s1, two, five, none)
    z2, h2 = GRU<hidden_size=5>(some, w2, r2, b2)
    s2 = Squeeze(z2, one)
    twice = Concat<axis=2>(s2, s2)
    f = ReduceMean<keepdims=0>(twice, none)"""
    more = weights("GRU", layer="1") | weights("GRU", features=5, layer="2")
    _, kinds = held(network(body, 10, **CUTS, **more))
    assert kinds["gru"] == 2


@pytest.mark.parametrize(("kind", "older"), [("GRU", True), ("LSTM", False), ("tanh", False), ("relu", True)])
def test_as_torch_exports_it(kind, older):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            more = {"num_layers": 2, "bidirectional": True, "batch_first": True}
            if kind in ("tanh", "relu"):
                self.layers = torch.nn.RNN(4, 6, nonlinearity=kind, **more)
            else:
                self.layers = getattr(torch.nn, kind)(4, 6, **more)
            self.head = torch.nn.Linear(12, 3)

        def forward(self, x):
            return self.head(self.layers(x)[0].mean(1))

    from stepforward.sources.torch import from_torch

    module, example = Layers().eval(), torch.zeros(2, 7, 4)
    if older:
        content = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}}
            torch.onnx.export(module, (example,), content, dynamo=False, opset_version=17, **names)
        model = ir.from_proto(onnx.load_from_string(content.getvalue()))
    else:
        model = from_torch(module, example.numpy())
    canonical, kinds = held(model)
    assert kinds["rnn" if kind in ("tanh", "relu") else kind.lower()] == 4
    from stepforward.engines.torch import TorchEngine

    x = samples(model, 8)
    engine = TorchEngine(
        canonical, [name for name in canonical.graph.initializers if name.endswith(".weight")]
    )
    np.testing.assert_allclose(engine.outputs(Batch.of(x))[0], run_ort(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            f"{TURN}\nz, h = GRU<hidden_size=5, clip=3.0>(t, w, r, b)\nf = Squeeze(h, none)",
            "clips what its gates read",
        ),
        (
            f'{TURN}\nz, h = GRU<hidden_size=5, activations=["Relu", "Tanh"]>(t, w, r, b)\nf = Squeeze(h, none)',
            "functions other than sigmoid and tanh",
        ),
        (
            f"{TURN}\nz, h = GRU<hidden_size=5>(t, w, r, b, , begin)\nf = Squeeze(h, none)",
            "a state that is not zero",
        ),
        (f"{TURN}\nz, h = GRU<hidden_size=5>(t, w, r, b5)\nf = Squeeze(h, none)", "do not fit each other"),
        ("z, h = GRU<hidden_size=5>(x, w, r, b)\nf = Squeeze(h, none)", "with time as the first axis"),
        (
            f"{TURN}\nz = GRU<hidden_size=5>(t, w, r)\ns = Squeeze(z, one)\nv = Abs(s)\n"
            "f = ReduceMax<keepdims=0>(v, none)",
            "time as the first axis",
        ),
        (
            f"{TURN}\nz = GRU<hidden_size=5>(t, w, r)\ns = Squeeze(z, one)\nv = Slice(s, none, most, none, two)\n"
            "f = ReduceMax<keepdims=0>(v, none)",
            "Slice .* reads the states 's' with time as the first axis",
        ),
        (
            f"{TURN}\nz = GRU<hidden_size=5>(t, w, r)\ns = Squeeze(z, one)\nboth = Concat<axis=2>(s, t)\n"
            "v = Slice(both, none, five, two)\nf = ReduceMax<keepdims=0>(v, none)",
            "Concat .* reads the states 's' with time as the first axis",
        ),
        (
            f'{TURN}\nz, h = RNN<hidden_size=5, activations=["Sigmoid"]>(t, w5, r5)\nf = Squeeze(h, none)',
            "functions other than tanh and ReLU",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(body, message):
    more = (
        weights()
        | {"begin": np.ones((1, 97, 5), np.float32)}
        | {"b5": ramp(1, 5), "w5": ramp(1, 5, 4), "r5": ramp(1, 5, 5)}
        | CUTS
    )
    with pytest.raises(StepforwardError, match=message):
        canonicalize(network(body, **more))
