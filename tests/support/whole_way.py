"""A network on its whole way to integers, held to what it was."""

import numpy as np
from onnx_graphs import run_ort

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

HEAD = "f = Flatten(a)\ny = Gemm<transB=1>(f, u, d)"
"""The end of a network over what is called a: a layer of three outputs, of `u` and `d`."""


def held(model, noise=30.0, shape=(4, 6, 6), original=None):
    """A network that is held to ONNX Runtime, or to its original, on its way to integers; its operators.

    Args:
        noise: signal to noise of the logits in integers, at least, dB.
    """
    x = np.random.default_rng(0).normal(size=(60, *shape)).astype(np.float32)
    expected = run_ort(model, x) if original is None else original(x)
    canonical = canonicalize(model)
    np.testing.assert_allclose(run(canonical.graph, x), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(run_ort(canonical, x), expected, rtol=1e-3, atol=1e-4)
    network = read_quantized(quantize(canonical, x))
    program = lower(network)
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    found = logits * program.tensors[program.output].scale[0]
    centred = expected - expected.mean(axis=0)
    assert 10 * np.log10((centred**2).mean() / ((found - expected) ** 2).mean()) > noise
    return [op.kind for op in program.ops], program
