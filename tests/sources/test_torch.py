import sys

import numpy as np
import pytest

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.torch import from_torch

torch = pytest.importorskip("torch")


class Tied(torch.nn.Module):
    """A layer used twice, equal biases, a 1x1 head: what exporters like to merge."""

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Conv2d(2, 2, 3, padding=1)
        self.b = torch.nn.Conv2d(2, 2, 3, padding=1)
        torch.nn.init.zeros_(self.a.bias)
        torch.nn.init.zeros_(self.b.bias)
        self.head = torch.nn.Conv2d(2, 5, 1)

    def forward(self, x):
        x = torch.nn.functional.hardtanh(self.a(self.b(torch.relu(self.a(x)))))
        return self.head(x).mean((2, 3))


def test_a_tied_weight_stays_one_equal_biases_stay_apart_and_the_module_stays_as_it_was():
    module = Tied().train()
    example = np.zeros((1, 2, 6, 6), np.float32)
    canonical = canonicalize(from_torch(module, example))
    assert module.training
    names = [value.name for node in canonical.graph if node.op_type == "Conv" for value in node.inputs[1:]]
    assert names[::2] == ["a.weight", "b.weight", "a.weight", "head.weight"]
    assert names[1::2] == ["a.bias", "b.bias", "a_2.bias", "head.bias"]
    x = np.linspace(-1, 1, 216, dtype=np.float32).reshape(3, 2, 6, 6)
    with torch.no_grad():
        np.testing.assert_allclose(run(canonical.graph, x), module(torch.as_tensor(x)).numpy(), atol=1e-5)


def test_results_that_a_module_names_are_outputs_of_these_names():
    class Two(Tied):
        def forward(self, x):
            found = super().forward(x)
            return {"embedding": found, "logits": found * 2}

    model = from_torch(Two(), np.zeros((1, 2, 6, 6), np.float32))
    assert [value.name for value in model.graph.outputs] == ["embedding", "logits"]


def test_a_module_that_does_not_run_is_refused():
    with pytest.raises(StepforwardError, match="could not export Linear"):
        from_torch(torch.nn.Linear(4, 2), np.zeros((1, 5), np.float32))


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StepforwardError, match="needs torch") as caught:
        from_torch(object(), np.zeros((1, 1, 2, 2)))
    assert "stepforward[torch]" in caught.value.remedy
