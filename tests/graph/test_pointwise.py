"""Functions of one value in a graph: from ONNX to a table, whoever wrote them."""

import math
import re

import numpy as np
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.graph.functions import evaluate
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

FUNCTIONS = {
    "Sigmoid": "s = Sigmoid(c)",
    "Tanh": "s = Tanh(c)",
    "HardSigmoid": "s = HardSigmoid<alpha=0.166667, beta=0.5>(c)",
    "HardSwish": "s = HardSwish(c)",
    "LeakyRelu": "s = LeakyRelu<alpha=0.3>(c)",
    "Elu": "s = Elu<alpha=0.7>(c)",
    "Selu": "s = Selu(c)",
    "Celu": "s = Celu<alpha=2.0>(c)",
    "Softplus": "s = Softplus(c)",
    "Softsign": "s = Softsign(c)",
    "Gelu": "s = Gelu(c)",
    "Gelu, tanh": 's = Gelu<approximate="tanh">(c)',
    "Mish": "s = Mish(c)",
    "PRelu": "s = PRelu(c, half)",
    "ThresholdedRelu": "s = ThresholdedRelu<alpha=0.5>(c)",
    "Exp": "s = Exp(c)",
    "Abs": "s = Abs(c)",
    "square root of a clip": "a = Clip(c, one, six)\ns = Sqrt(a)",
    "logarithm of a clip": "a = Clip(c, one, six)\ns = Log(a)",
    "reciprocal of a clip": "a = Clip(c, one, six)\ns = Reciprocal(a)",
    "SiLU": "a = Sigmoid(c)\ns = Mul(c, a)",
    "SiLU, other order": "a = Sigmoid(c)\ns = Mul(a, c)",
    "Erf": "s = Erf(c)",
    "GELU as erf": "a = Div(c, root)\ne = Erf(a)\nf = Add(e, one)\ng = Mul(c, f)\ns = Mul(g, half)",
    "GELU as tanh": """p = Pow(c, three)
        q = Mul(p, small)
        r = Add(c, q)
        t = Mul(r, factor)
        v = Tanh(t)
        w = Add(v, one)
        z = Mul(c, half)
        s = Mul(z, w)""",
    "hard-swish as a clip": "a = Add(c, three)\nd = Clip(a, zero, six)\ne = Mul(c, d)\ns = Div(e, six)",
    "tanh as it is written by hand": """a = Exp(c)
        b1 = Neg(c)
        b2 = Exp(b1)
        n = Sub(a, b2)
        d = Add(a, b2)
        s = Div(n, d)""",
    "a square": "s = Mul(c, c)",
    "a clip after it": "a = Tanh(c)\nd = Mul(a, six)\ns = Clip(d, zero, three)",
    "two in a row": "a = Tanh(c)\nd = Mul(a, half)\ns = Sigmoid(d)",
    "constants of one element": "a = Sigmoid(c)\nd = Mul(a, wide)\ns = Sub(d, wide)",
}
SCALARS = {"one": 1, "six": 6, "zero": 0, "three": 3, "half": 0.5, "root": 2**0.5, "small": 0.044715}
CONSTANTS = {name: np.float32(value) for name, value in SCALARS.items()}
CONSTANTS |= {"factor": np.float32((2 / np.pi) ** 0.5), "wide": np.full((1, 1, 1), 2, np.float32)}


def network(body):
    """A convolution, the function, a last layer."""
    weights = {"c.weight": ramp(4, 2, 1, 1, scale=1.0), "c.bias": ramp(4)}
    weights |= {"y.weight": ramp(3, 144), "y.bias": ramp(3)}
    text = f"""c = Conv<kernel_shape=[1,1]>(x, c.weight, c.bias)
    {body}
    flat = Flatten(s)
    y = Gemm<transB=1>(flat, y.weight, y.bias)"""
    used = {name: value for name, value in CONSTANTS.items() if re.search(rf"\b{name}\b", body)}
    return parse(text, **weights, **used)


def integers(model, x):
    """The program and the logits of all engines as real values, which are the same integers."""
    program = lower(read_quantized(model))
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    return program, logits * program.tensors[program.output].scale[0]


@pytest.mark.parametrize("body", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_becomes_one_table(body):
    model = network(body)
    x = samples(model, 8)
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-5, atol=1e-5)
    quantized = quantize(canonical, x)
    program, logits = integers(quantized, x)
    assert [op.kind for op in program.ops] == ["conv", "lookup", "transpose", "fully_connected"]
    spread = np.abs(expected).max()
    np.testing.assert_allclose(logits, expected, atol=0.03 * spread)
    np.testing.assert_allclose(run_ort(quantized, x), logits, atol=0.01 * spread)


@pytest.mark.parametrize("body", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_float_baseline_computes_it_with_gradients(body):
    torch_engine = pytest.importorskip("stepforward.engines.torch")
    model = canonicalize(network(body))
    x = samples(model, 4)
    engine = torch_engine.TorchEngine(model, ["c.weight"])
    batch = Batch.of(x, np.arange(4, dtype=np.int32) % 3)
    np.testing.assert_allclose(engine.outputs(batch)[0], run(model.graph, x), rtol=2e-5, atol=2e-5)
    assert np.isfinite(engine.gradients(batch)[1]["c.weight"]).all()


def test_what_is_read_outside_is_no_inner_value():
    body = "a = Sigmoid(c)\nb = Mul(c, a)\ns = Concat<axis=1>(a, b)"
    text = f"c = Conv<kernel_shape=[1,1]>(x, w)\n{body}\nf = GlobalAveragePool(s)\ny = Flatten(f)"
    model = canonicalize(parse(text, w=ramp(4, 2, 1, 1, scale=1.0)))
    x = samples(model, 8)
    program, logits = integers(quantize(model, x), x)
    kinds = ["conv", "lookup", "multiply", "concat", "average_pool", "reshape"]
    assert [op.kind for op in program.ops] == kinds[: len(program.ops)]
    np.testing.assert_allclose(logits, run(model.graph, x), atol=0.02)


def test_steps_that_a_layer_can_take_stay_with_it():
    """A scalar that follows a convolution, and a clip that the convolution applies on its way out."""
    body = "m = Mul(c, half)\na = Relu(m)\ns = Tanh(a)"
    program = lower(read_quantized(quantize(canonicalize(network(body)), ramp(8, 2, 6, 6, scale=2.0))))
    conv, lookup = program.ops[:2]
    assert (conv.kind, lookup.kind) == ("conv", "lookup")
    assert conv.what.lo == program.tensors[conv.output].zero_point == -128


def test_a_quantized_function_of_two_tensors_is_refused():
    """Someone else wrote a product between the formats, of two tensors and a function of one of them."""
    body = "p = MaxPool<kernel_shape=[1,1]>(c)\na = Sigmoid(c)\ns = Mul(p, a)"
    model = quantize(canonicalize(network(body)), ramp(8, 2, 6, 6, scale=2.0))
    (sigmoid,) = [node for node in model.graph if node.op_type == "Sigmoid"]
    (product,) = [node for node in model.graph if node.op_type == "Mul"]
    product.replace_input_with(1, sigmoid.outputs[0])
    with pytest.raises(StepforwardError, match=r"does not fit together: Mul node .* not quantized"):
        read_quantized(model)


def test_erf_is_exact_to_float32():
    x = np.linspace(-7, 7, 30001)
    node = ir.node("Erf", [None])
    exact = [math.erf(value) for value in x]
    np.testing.assert_allclose(evaluate(node, x), exact, rtol=0, atol=1e-9)
