import numpy as np
import pytest
from onnx_graphs import parse

from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source


def network(small, spoiled=1.0):
    """A kernel slides over columns of which the first is 1 and the others are `small`, and its first column, the only
    one to meet it, makes it as small: no scale of its own could be undone. Some channels of the first layer's result
    are `spoiled` as large, and the second layer undoes it."""
    rng = np.random.default_rng(0)
    loud = np.where(np.arange(8) % 2 == 0, 1, spoiled)
    shapes = {"w1": (8, 2, 3, 3), "w2": (8, 8, 1, 1), "w": (5, 8, 4, 4)}
    weights = {name: rng.normal(0, 1, shape) for name, shape in shapes.items()}
    weights["w1"][..., 0] *= small
    weights["w1"] *= loud.reshape(8, 1, 1, 1)
    weights["w2"] /= loud.reshape(1, 8, 1, 1)
    weights["w2"][:, 1::2] *= 0.01 if spoiled > 1 else 1
    weights["w"] = weights["w"].reshape(5, 128)
    weights |= {"b1": np.zeros(8), "b2": np.zeros(8), "b": np.zeros(5)}
    x = rng.normal(0, 1, (24, 2, 6, 6)) * np.where(np.arange(6) == 0, 1, small)
    body = """c = Conv(x, w1, b1) r = Relu(c) d = Conv(r, w2, b2) s = Relu(d) f = Flatten(s)
              y = Gemm<transB=1>(f, w, b)"""
    graph = parse(body, **{name: array.astype(np.float32) for name, array in weights.items()})
    return open_source(canonicalize(graph)), x.astype(np.float32)


@pytest.mark.parametrize(
    ("small", "spoiled", "wide", "expected"),
    [
        (0.01, 1, "auto", {"x"}),
        (0.01, 1, "", set()),
        (0.9, 1, "auto", set()),
        (0.9, 300, "auto", {"x", "relu"}),
        (0.9, 300, "", set()),
    ],
)
def test_what_gains_has_16_bits(small, spoiled, wide, expected):
    source, x = network(small, spoiled)
    made = source.quantized(QuantizationSettings(wide=(wide,) if wide else ()), x)
    program = lower(made.network())
    activations = program.tensors[program.parameter_count :]
    assert {t.name for t in activations if t.dtype == "s16"} == expected | {"y"}
    assert any("would move the logits" in note for note in made.notes) == bool(expected)
