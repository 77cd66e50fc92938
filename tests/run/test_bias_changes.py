"""What biases do to logits, next to the derivatives of the float network."""

import numpy as np
import pytest
import torch
from torch import nn

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run.bias_changes import changes, places
from stepforward.sources.open import open_source


class Residual(nn.Module):
    """A block that a change enters on one side, one that it passes, a pool over all, two dense layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 12, 3, 2, 1)
        self.depthwise = nn.Conv2d(12, 12, 3, 1, 1, groups=12)
        self.pointwise = nn.Conv2d(12, 12, 1)
        self.last = nn.Conv2d(12, 16, 3)
        self.dense = nn.Linear(16, 24)
        self.out = nn.Linear(24, 5)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(x + self.pointwise(torch.relu(self.depthwise(x))))
        x = torch.relu(self.last(x)).mean((2, 3))
        return self.out(torch.relu(self.dense(x)))


class Gated(nn.Module):
    """Functions of one value, a factor for each channel, a concatenation with what a change passes by."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 12, 3, 2, 1)
        self.many = nn.Linear(12, 12)
        self.side = nn.Conv2d(12, 6, 1)
        self.out = nn.Linear(18, 5)

    def forward(self, x):
        x = nn.functional.hardswish(self.first(x))
        factors = torch.sigmoid(self.many(x.mean((2, 3))))
        x = torch.cat([x * factors[:, :, None, None], torch.tanh(self.side(x))], 1)
        return self.out(x.mean((2, 3)))


FAINT = {"many.bias": (0.5, 0.6)}
"""Biases whose changes are a step or so of 8 bits on their way; differences correlate by 0.04."""


def derivatives(module, x, name):
    """Of each logit by each number of a bias, shape (numbers, n, classes)."""
    bias = dict(module.named_parameters())[name]
    found = [
        [torch.autograd.grad(logit, bias, retain_graph=True)[0] for logit in module(row[None])[0]]
        for row in torch.from_numpy(x)
    ]
    return torch.stack([torch.stack(row) for row in found]).permute(2, 0, 1).numpy()


@pytest.mark.parametrize("bits", ["16w8a", "8w8a"])
@pytest.mark.parametrize("network", [Residual, Gated])
def test_carried_changes_are_the_derivatives(network, bits):
    torch.manual_seed(3)
    module = network().eval()
    x = np.random.default_rng(3).normal(size=(40, 2, 12, 12)).astype(np.float32)
    model = sf.quantize(sf.from_torch(module, torch.zeros(1, 2, 12, 12)), x, bits=bits)
    program = lower(open_source(model).network())
    of = places(program, range(program.parameter_count))
    assert [place.carried for place in of] == [True] * (len(of) - 1) + [False]
    q = quantize_input(program, x)
    plain = logits_of(CoreEngine(program), q)
    step = program.tensors[program.output].scale[0]
    for place, found in zip(of, changes(program, of, q, plain, 1), strict=True):
        name = program.tensors[place.tensor].name
        moved = place.tried * np.array(program.tensors[place.tensor].scale)
        exact = derivatives(module, x, name) * moved[:, None, None] / step
        least, about = FAINT.get(name, (0.95, 0.06))
        assert np.corrcoef(exact.ravel(), found.ravel())[0, 1] > least, name
        assert (exact * found).sum() / (exact**2).sum() == pytest.approx(1, abs=about), name


def test_a_maximum_on_the_way_leaves_differences():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.ReLU()
    )
    module.append(nn.Linear(8, 3))
    x = np.random.default_rng(0).normal(size=(8, 1, 8, 8)).astype(np.float32)
    program = lower(open_source(sf.quantize(sf.from_torch(module, torch.zeros(1, 1, 8, 8)), x)).network())
    assert not any(place.carried for place in places(program, range(program.parameter_count)))
