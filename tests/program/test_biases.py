"""Biases as a journal has them."""

import struct
from dataclasses import replace

import numpy as np
import pytest
import stripes

from stepforward.lowering.lower import lower
from stepforward.program.biases import with_biases, written
from stepforward.program.weights import pack_all, unpack_all
from stepforward.sources.open import open_source
from stepforward.verbs.quantize import quantize


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("biases") / "float.onnx"
    path.write_bytes(stripes.network().SerializeToString())
    return lower(open_source(quantize(path, tuple(stripes.arrays(range(4)).values()))).network())


def biases(program):
    return [index for index, tensor in enumerate(program.parameters) if tensor.dtype == "s32"]


def test_what_is_written_is_read(program):
    rng, own = np.random.default_rng(0), biases(program)
    values = {i: rng.integers(-(2**30), 2**30, program.tensors[i].elements) for i in own}
    other = replace(program, weights=pack_all(program, values))
    assert with_biases(program, written(other, own)).weights == other.weights
    one = with_biases(program, written(other, own[:1]))
    found = unpack_all(one)
    assert (found[own[0]] == values[own[0]]).all()
    assert (found[own[1]] == unpack_all(program)[own[1]]).all()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda good: good[:3], "cut short"),
        (lambda good: good[:-1], "cut short"),
        (lambda good: good + good, "comes twice"),
        (lambda good: struct.pack("<I", 999) + good[4:], "tensor 999 is no bias"),
        (lambda good: good[:4] + struct.pack("<i", -(2**31)) + good[8:], "out of range"),
    ],
)
def test_what_does_not_fit_is_refused(program, content, why):
    with pytest.raises(ValueError, match=why):
        with_biases(program, content(written(program, biases(program))))


def test_a_weight_is_no_bias(program):
    (weight,) = {op.weight for op in program.ops if op.parameters and op.weight == 0}
    with pytest.raises(ValueError, match="tensor 0 is no bias"):
        with_biases(program, struct.pack("<I", weight))
