"""Finer steps of activations: the same network, nearer to its float form where samples use little of its ranges."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run.ranges import found
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.finer import refinable, with_finer_steps
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize

SMALL = 0.2
OWNERS = {"max_pool": "relu", "flatten": "gelu"}


@pytest.fixture(scope="module")
def canonical():
    """A residual sum, a pool that hands a format on, a function and a clip of its own."""
    model = parse(
        """a = Conv<pads=[1,1,1,1]>(x, a.weight, a.bias)
        r = Relu(a)
        m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
        b = Conv(m, b.weight)
        s = Add(b, m)
        g = Gelu(s)
        f = Flatten(g)
        y = Gemm<transB=1>(f, fc.weight, fc.bias)""",
        a__weight=ramp(4, 2, 3, 3),
        a__bias=ramp(4),
        b__weight=ramp(4, 4, 1, 1, scale=0.5),
        fc__weight=ramp(5, 36),
        fc__bias=ramp(5),
    )
    return canonicalize(model)


@pytest.fixture(scope="module")
def model(canonical):
    return quantize(canonical, samples(canonical, 20))


@pytest.fixture(scope="module")
def finer(canonical, model):
    """(halvings by name, the model with them) for samples a fifth as large."""
    opened = open_source(model)
    program = lower(opened.network())
    x = quantize_input(program, SMALL * samples(canonical, 20))
    halvings = {program.tensors[i].name: times for i, times in found(opened.refinable, program, x, 1).items()}
    return halvings, with_finer_steps(model, halvings)


def test_samples_that_use_a_fifth_halve_steps_once_or_twice(finer, canonical):
    halvings, changed = finer
    assert set(halvings) >= {"x", "relu", "b", "add"} and set(halvings.values()) == {1, 2}
    assert not {"max_pool", "flatten", "y"} & set(halvings)  # the format of another, and the logits
    opened = open_source(changed)
    program = lower(opened.network())
    assert found(opened.refinable, program, quantize_input(program, SMALL * samples(canonical, 20)), 1) == {}


def test_the_float_network_stays_and_the_integers_come_nearer(finer, canonical, model):
    _, changed = finer
    x = SMALL * samples(canonical, 20)
    exact = run(to_float(model).graph, x)
    assert np.array_equal(run(to_float(changed).graph, x), exact)
    before, after = (np.abs(run_ort(one, x) - exact).max() for one in (model, changed))
    assert after < before / 1.8


def test_only_scales_of_those_and_of_their_readers_biases_change(finer, model):
    halvings, changed = finer
    old, new = read_quantized(model), read_quantized(changed)
    for name, form in old.formats.items():
        owner = OWNERS.get(name, name)
        assert new.formats[name].scale == form.scale * 2.0 ** -halvings.get(owner, 0)
        assert new.formats[name].zero_point == form.zero_point
    for one, other in zip(old.nodes, new.nodes, strict=True):
        if one.weight is not None:
            times = halvings.get(OWNERS.get(one.inputs[0], one.inputs[0]), 0)
            assert np.array_equal(other.weight.q, one.weight.q) and other.weight.scale == one.weight.scale
            assert np.array_equal(other.bias.q, one.bias.q << times)


def test_the_file_is_an_ordinary_one(finer, tmp_path: Path):
    path = tmp_path / "finer.onnx"
    onnx.save(ir.to_proto(finer[1]), path)
    onnx.checker.check_model(path, full_check=True)
    assert read_quantized(ir.load(path)).formats == read_quantized(finer[1]).formats


@pytest.mark.parametrize(
    "halvings", [{"nothing": 1}, {"x": 0}, {"x": 40}, {"max_pool": 1}, {"y": 1}], ids=str
)
def test_others_are_refused_by_name(model, halvings):
    (name,) = halvings
    with pytest.raises(StepforwardError, match=f"steps of activation '{name}' cannot be halved"):
        with_finer_steps(model, halvings)


def test_a_bias_near_its_largest_allows_no_more(canonical):
    large = canonicalize(
        parse(
            "f = Flatten(x)\n y = Gemm<transB=1>(f, fc.weight, fc.bias)",
            fc__weight=ramp(5, 72),
            fc__bias=ramp(5) * 1e9,
        )
    )
    model = quantize(large, samples(large, 20))
    assert refinable(model) == {"x": 0}
