"""Programs made of int8 ONNX files compute the integers of ONNX Runtime, layer by layer."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

from ort_files import different, float_model, quantized, session, small

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.ort.read import read_network

KINDS = [
    ("u8", "QDQ", False, {}),
    ("u8", "QDQ", True, {}),
    ("s8", "QDQ", True, {}),
    ("s8", "QDQ", True, {"ActivationSymmetric": True}),
    ("s8", "QDQ", True, {"QuantizeBias": False}),
    ("u8", "QDQ", True, {"AddQDQPairToWeight": True}),
    ("s8", "QDQ", False, {"DedicatedQDQPair": True}),
    ("u8", "QDQ", False, {"UseQDQContribOps": True}),
    ("u8", "QOperator", True, {}),
    ("s8", "QOperator", False, {}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("activations", "form", "per_channel", "extra"), KINDS)
def test_a_small_network(tmp_path, activations, form, per_channel, extra, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(32, 3, 12, 12)).astype(np.float32)
    file = quantized(
        small(rng),
        x,
        tmp_path / "m.onnx",
        activations=activations,
        form=form,
        per_channel=per_channel,
        **extra,
    )
    found = different(file, 2 * x, activations)
    assert {name: wrong for name, (wrong, _) in found.items() if wrong} == {}
    assert len(found) >= 6


def test_the_level_that_users_have_computes_the_same_logits(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(32, 3, 12, 12)).astype(np.float32)
    file = quantized(small(rng), x, tmp_path / "m.onnx", per_channel=False)
    network = read_network(file, "m", "ort").network
    program, logits = lower(network), network.formats[network.output]
    ours = logits_of(CoreEngine(program), quantize_input(program, x))
    theirs = session(file.content).run(None, {"x": x})[0]
    assert np.array_equal(theirs, (ours - logits.zero_point).astype(np.float32) * np.float32(logits.scale))


def test_sums_of_two_tensors(tmp_path):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(64, 3, 12, 12)).astype(np.float32)
    nodes = [("Conv", ["x", "w"], "c", {}), ("Add", ["c", "x"], "s", {}), ("Flatten", ["s"], "f", {})]
    nodes.append(("Gemm", ["f", "v"], "y", {"transB": 1}))
    constants = {
        "w": rng.normal(size=(3, 3, 1, 1)).astype(np.float32),
        "v": rng.normal(size=(5, 432)).astype(np.float32) / 20,
    }
    file = quantized(float_model(nodes, (3, 12, 12), constants), x, tmp_path / "m.onnx", per_channel=False)
    assert different(file, x)["s_QuantizeLinear_Output"] == (0, 64 * 432)
