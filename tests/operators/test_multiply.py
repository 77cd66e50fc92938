"""The product of two tensors: by its definition, and in a network from ONNX to votes on every engine."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_graphs import canonical_like, parse, ramp

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.operators.multiply import Multiply
from stepforward.plan.make import for_training
from stepforward.program.model import Tensor
from stepforward.settings import Settings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

S8 = st.integers(-128, 127)


@given(a=S8, b=S8, zeros=st.tuples(S8, S8, S8), mult=st.integers(32768, 65535), shift=st.integers(0, 47))
def test_a_product_is_rounded_once(a, b, zeros, mult, shift):
    tensors = [Tensor("t", (1,), "s8", (1.0,), zero) for zero in zeros]
    (found,) = Multiply(rescale=((mult, shift),)).run([np.array([a]), np.array([b])], tensors[:2], tensors[2])
    exact = Fraction((a - zeros[0]) * (b - zeros[1]) * mult, 2**shift)
    assert found == max(-128, min(127, floor(exact + Fraction(1, 2)) + zeros[2]))


GATED = """a = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w, b)
g = Conv<kernel_shape=[1,1]>(x, v, c)
h = Relu(g)
m = Mul(a, h)
r = Relu(m)
f = Flatten(r)
y = Gemm<transB=1>(f, u, d)"""
WEIGHTS = {
    "w": ramp(4, 2, 3, 3, scale=0.4),
    "b": ramp(4),
    "v": ramp(4, 2, 1, 1, scale=0.6),
    "c": ramp(4) + 0.5,
    "u": ramp(3, 144),
    "d": ramp(3),
}


def test_a_gate_goes_from_onnx_to_the_same_integers_on_both_engines():
    canonical = canonical_like(parse(GATED, **WEIGHTS), "Conv Conv Relu Mul Relu Flatten Gemm")
    x = ramp(24, 2, 6, 6, scale=2.0)
    program = lower(read_quantized(quantize(canonical, x)))
    (product,) = [op for op in program.ops if op.kind == "multiply"]
    assert product.what.lo == program.tensors[product.output].zero_point  # the Relu after it is its own clamp
    q, y = quantize_input(program, x), np.arange(24) % 3
    engine = ReferenceEngine(program)
    logits = engine.outputs(Batch.of(q))[0] * program.tensors[program.output].scale[0]
    np.testing.assert_allclose(logits, run(canonical.graph, x), atol=0.05)

    every, settings = range(program.parameter_count), Settings(steps=3, directions=2, lr=1e-2)
    trained, plan = for_training(program, every, settings)
    batch = Batch.of(q, y.astype(np.int32))
    engines = [ReferenceEngine(trained, plan), CoreEngine(trained, plan)]
    first, second = (list(qzo_ff(engine, lambda step: batch, range(3), 2)) for engine in engines)
    assert first == second
    first, second = (engine.snapshot().weights for engine in engines)
    assert first == second != trained.weights


EXCITED = """a = Conv<kernel_shape=[1,1]>(x, v, c)
p = GlobalAveragePool(a)
r = Relu(p)
m = Mul(%s)
n = Add(m, p)
f = Flatten(n)
y = Gemm<transB=1>(f, u, d)"""


@pytest.mark.parametrize("operands", ["a, r", "r, a"])
def test_one_number_per_channel_meets_all_positions(operands):
    canonical = canonicalize(parse(EXCITED % operands, **{name: WEIGHTS[name] for name in "vcud"}))
    x = ramp(24, 2, 6, 6, scale=2.0)
    program = lower(read_quantized(quantize(canonical, x)))
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    scale = program.tensors[program.output].scale[0]
    np.testing.assert_allclose(logits * scale, run(canonical.graph, x), atol=0.05)


def test_another_number_of_axes_is_refused_by_the_shapes_of_a_sample():
    body = """a = Flatten(x)
    g = Gemm<transB=1>(a, e)
    m = Mul(x, g)
    f = Flatten(m)
    y = Gemm<transB=1>(f, h)"""
    model = parse(body, input_shape="1,2,6,6", e=ramp(6, 72), h=ramp(3, 72))
    with pytest.raises(StepforwardError, match=r"Mul node .* different shapes \(2, 6, 6\) and \(6,\)"):
        canonicalize(model)
