"""A small mobile network, from torch to an adapted model: hard-swish, GELU, squeeze-and-excitation."""

import numpy as np
import pytest
from onnx_graphs import run_ort

from stepforward.core.checks import refusal
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay


@pytest.fixture(scope="module")
def mobile():
    """The float model, and samples with labels that it gives most of them."""
    torch = pytest.importorskip("torch")
    from stepforward.sources.torch import from_torch

    class Excitation(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Conv2d(8, 4, 1), torch.nn.Conv2d(4, 8, 1)

        def forward(self, x):
            mean = torch.nn.functional.adaptive_avg_pool2d(x, 1)
            factors = torch.nn.functional.hardsigmoid(self.fc2(torch.relu(self.fc1(mean))))
            return x * factors + torch.nn.functional.silu(x)

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.Hardswish()),
        *(torch.nn.Conv2d(8, 8, 3, padding=1, groups=8), torch.nn.GELU(), Excitation()),
        *(torch.nn.Conv2d(8, 12, 1), torch.nn.Mish(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
        *(torch.nn.Linear(12, 12), torch.nn.Tanh(), torch.nn.Linear(12, 4)),
    )
    random = np.random.default_rng(1)
    x = random.normal(size=(80, 3, 12, 12)).astype(np.float32) * random.uniform(0.2, 3, (80, 3, 1, 1))
    x = x.astype(np.float32)
    # The way of torch's channels_last: only the shape of the example counts.
    example = torch.from_numpy(x[:2]).to(memory_format=torch.channels_last)
    model = from_torch(network, example)
    logits = run_ort(model, x)
    y = (logits - logits.mean(axis=0)).argmax(axis=1)
    y[::5] = (y[::5] + 1) % 4
    return model, (x, y)


def test_its_activations_are_tables_and_its_factors_broadcast(mobile):
    model, (x, y) = mobile
    made = quantize(model, x)
    program = lower(open_source(made).network())
    kinds = [op.kind for op in program.ops]
    assert (kinds.count("lookup"), kinds.count("multiply"), kinds.count("add")) == (6, 1, 1)
    content = fileformat.to_bytes(program)
    assert refusal(content) is None and fileformat.from_bytes(content) == program
    q = quantize_input(program, x)
    logits = logits_of(ReferenceEngine(program), q)
    assert np.array_equal(logits_of(CoreEngine(program), q), logits)
    real, exact = logits * program.tensors[program.output].scale[0], run_ort(model, x)
    noise = ((real - exact) ** 2).mean() / exact.var()
    assert noise < 0.01
    np.testing.assert_allclose(run_ort(made, x), real, atol=0.05 * np.abs(real).max())
    losses = [evaluate(given, (x, y))["loss"] for given in (model, made)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("train", ["head", "all"])
def test_it_adapts_and_comes_back_as_a_model(mobile, tmp_path, train):
    model, data = mobile
    how = {"train": train, "steps": 4, "directions": 2, "batch": 8, "progress": False}
    result = adapt(model, data, out=tmp_path / "run", **how)
    program = fileformat.load(tmp_path / "run" / "adapted.sfp")
    again = lower(open_source(tmp_path / "run" / "adapted.onnx").network())
    assert program.weights == again.weights
    assert [op.what.tables for op in program.ops] == [op.what.tables for op in again.ops]
    replayed = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
    assert replayed["weights_sha256"] == result["weights_sha256"] == program.weights_sha256


def test_backpropagation_goes_through_it(mobile):
    model, data = mobile
    result = adapt(model, data, method="backprop", steps=3, batch=16, progress=False)
    assert result["steps"] == 3
