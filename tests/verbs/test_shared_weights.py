"""A weight that two layers use is one parameter from the model to the adapted model."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx_graphs import parse, run_ort

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay


@pytest.fixture(scope="module")
def tied():
    """A convolution that runs twice, and samples of its three classes."""
    random = np.random.default_rng(4)
    model = parse(
        "a = Conv<pads=[1,1,1,1]>(x, w, b)\nr = Relu(a)\nc = Conv<pads=[1,1,1,1]>(r, w, b)\nq = Relu(c)\n"
        "g = GlobalAveragePool(q)\nf = Flatten(g)\ny = Gemm<transB=1>(f, fc.weight)",
        input_shape="N,8,6,6",
        w=random.normal(size=(8, 8, 3, 3)).astype(np.float32) / 5,
        b=random.normal(size=8).astype(np.float32),
        fc__weight=random.normal(size=(3, 8)).astype(np.float32),
    )
    x = random.normal(size=(60, 8, 6, 6)).astype(np.float32)
    logits = run_ort(model, x)
    return model, (x, (logits - logits.mean(axis=0)).argmax(axis=1))


def weights_read(model: ir.Model) -> list[str]:
    """The weight of each Conv, by name, through its DequantizeLinear if it has one."""
    values = [node.inputs[1] for node in model.graph if node.op_type == "Conv"]
    return [(value.producer().inputs[0] if value.producer() else value).name for value in values]


@pytest.mark.parametrize("bits", ["16w8a", "8w8a"])
def test_quantizing_keeps_one_weight_with_room_for_both_layers(tied, bits):
    model, (x, _) = tied
    made = quantize(model, x, bits=bits)
    assert weights_read(made) == ["w", "w"]
    program = lower(open_source(made).network())
    assert [tensor.name for tensor in program.parameters] == [
        "w",
        "w.bias",
        "w_2.bias",
        "fc.weight",
        "fc.bias",
    ]
    step = program.tensors[program.output].scale[0]
    logits = logits_of(CoreEngine(program), quantize_input(program, x)) * step
    assert (np.abs(logits - run_ort(made, x)) < step).mean() > 0.8  # ONNX Runtime rounds some sums otherwise
    np.testing.assert_allclose(logits, run_ort(model, x), atol=0.05 * np.abs(logits).max())


def test_adapting_moves_it_once_and_writes_it_once(tied, tmp_path):
    model, data = tied
    base = quantize(model, data[0])
    shifted = np.roll(data[1], 1)  # something to learn
    result = adapt(base, (data[0], shifted), steps=40, lr=1e-2, out=tmp_path / "run")
    adapted = open_source(tmp_path / "run" / "adapted.onnx")
    assert weights_read(adapted.model) == ["w", "w"]
    assert lower(adapted.network()).weights_sha256 == result["weights_sha256"] != result["base_sha256"]
    assert replay(base, tmp_path / "run" / "journal")["weights_sha256"] == result["weights_sha256"]


def test_a_pass_that_changes_one_layer_parts_it_from_the_other(tied):
    """A batch norm after the second use goes into that layer's weights alone."""
    random = np.random.default_rng(5)
    model = parse(
        "a = Conv(x, w)\nr = Relu(a)\nc = Conv(r, w)\nn = BatchNormalization(c, s, o, m, v)\n"
        "g = GlobalAveragePool(n)\ny = Flatten(g)",
        input_shape="N,2,6,6",
        w=random.normal(size=(2, 2, 3, 3)).astype(np.float32),
        **{name: np.array([1.5, 2], np.float32) for name in "somv"},
    )
    source = open_source(model)
    assert len(set(weights_read(source.model))) == 2
