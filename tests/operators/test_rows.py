"""Softmax, layer norm and products of tensors, by their definitions, against the real numbers they stand for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.rows import reciprocal, square_root, top_bit
from stepforward.operators.layer_norm import LayerNorm, epsilon_words, fraction_bits
from stepforward.operators.matmul import MatMul
from stepforward.operators.softmax import Softmax
from stepforward.program.model import Tensor

LIMITS = {"s8": {"lo": -128, "hi": 127}, "s16": {"lo": -32768, "hi": 32767}}


@given(st.integers(1, 2**63 - 1))
def test_bits_roots_and_quotients_are_those_of_exact_integers(value):
    array = np.array([value])
    assert top_bit(array)[0] == value.bit_length() - 1
    assert square_root(array)[0] == math.isqrt(value)
    assert reciprocal(62, array)[0] == 2**62 // value


def probabilities(x, scale, dtype, bits):
    pair = quantize_multiplier(scale * math.log2(math.e) * 2**16)
    zero = -128 if dtype == "s8" else 0
    y = Tensor("y", x.shape[1:], dtype, (2.0**-bits,), zero)
    softmax = Softmax(bits=bits, rescale=(pair,), **LIMITS[dtype])
    return (softmax.run([x], [Tensor("x", x.shape[1:], "s8", (scale,))], y) - zero) * 2.0**-bits


@pytest.mark.parametrize(("dtype", "bits"), [("s8", 8), ("s16", 15)])
@pytest.mark.parametrize("scale", [0.001, 0.04, 0.3, 0.69])
@pytest.mark.parametrize("columns", [1, 5, 65, 2000])
def test_a_probability_is_off_by_half_a_step_and_little_more(dtype, bits, scale, columns):
    x = np.random.default_rng(columns).integers(-128, 128, (40, columns))
    real = np.exp(scale * (x - x.max(axis=1, keepdims=True)))
    real /= real.sum(axis=1, keepdims=True)
    top = (255 if dtype == "s8" else 32767) * 2.0**-bits  # 1 is one step more than the type holds
    off = np.abs(probabilities(x, scale, dtype, bits) - np.minimum(real, top)).max()
    assert off < 2.0 ** -(bits + 1) + 2.0**-15


def test_a_score_far_below_the_largest_has_no_probability():
    assert probabilities(np.array([[127, -128, -128]]), 0.5, "s16", 15).tolist() == [[32767 / 32768, 0, 0]]


def normed(x, scale, gamma, beta, step, epsilon=1e-5, dtype="s16"):
    """(integer layer norm as reals, float layer norm)."""
    channels = x.shape[-1]
    fraction, scale_gamma = fraction_bits(channels), np.abs(gamma).max() / 32767
    q = np.rint(gamma / scale_gamma).astype(np.int64)
    b = np.rint(beta / (scale_gamma * 2.0**-fraction)).astype(np.int64)
    norm = LayerNorm(
        fraction=fraction,
        epsilon=epsilon_words(epsilon, channels, scale),
        rescale=(quantize_multiplier(2.0**-fraction * scale_gamma / step),),
        **LIMITS[dtype],
    )
    y = Tensor("y", (channels,), dtype, (step,))
    found = norm.run([x], [Tensor("x", (channels,), "s16", (scale,), 5)], y, [q, b]) * step
    real = scale * (x - x.mean(axis=-1, keepdims=True))
    real /= np.sqrt((real**2).mean(axis=-1, keepdims=True) + epsilon)
    return found, real * gamma + beta


@pytest.mark.parametrize("channels", [1, 2, 16, 64, 192, 768])
@pytest.mark.parametrize("spread", [3, 300, 9000])
def test_layer_norm_is_off_by_few_steps_of_a_deviation(channels, spread):
    rng = np.random.default_rng(channels)
    x = np.clip(np.rint(rng.normal(100, spread, (50, channels))), -32768, 32767).astype(np.int64)
    gamma, beta = rng.normal(1, 0.2, channels), rng.normal(0, 0.3, channels)
    found, real = normed(x, 0.001, gamma, beta, 1 / 4096)
    assert np.abs(found - real).max() < np.abs(gamma).max() * 2.0 ** -fraction_bits(channels) + 1 / 4096
    if channels >= 16:
        noise = ((found - real) ** 2).sum()
        assert 10 * math.log10((real**2).sum() / noise) > 60


def test_layer_norm_of_equal_values_is_its_bias():
    found, real = normed(np.full((1, 8), -32768), 1e-4, np.ones(8), np.arange(8) / 8, 1 / 4096)
    assert np.array_equal(found, real)


def test_an_epsilon_that_leaves_the_arithmetic_is_refused():
    with pytest.raises(ValueError, match=r"epsilon is 1e-05 and its input's step 1e-12"):
        epsilon_words(1e-5, 768, 1e-12)
    assert epsilon_words(1e-5, 4, 1.0) == (0, 1)


@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_of_real_matrices(transposed):
    rng = np.random.default_rng(3)
    a, b = rng.integers(-32768, 32768, (5, 2, 4, 300)), rng.integers(-128, 128, (5, 2, 300, 6))
    tensors = [
        Tensor("a", a.shape[1:], "s16", (2.0**-15,)),
        Tensor("b", b.shape[1:], "s8", (0.02,), -7),
        Tensor("y", (2, 4, 6), "s8", (0.5,), 3),
    ]
    product = MatMul(transposed=transposed, rescale=(quantize_multiplier(2.0**-15 * 0.02 / 0.5),))
    found = product.run([a, b.swapaxes(2, 3) if transposed else b], tensors[:2], tensors[2])
    real = (a * 2.0**-15) @ ((b + 7) * 0.02) / 0.5 + 3
    assert np.abs(found - np.clip(real, -128, 127)).max() < 0.51
