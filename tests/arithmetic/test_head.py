"""A linear layer in closed form, against the same in floats."""

import numpy as np
import pytest

from stepforward.arithmetic.head import FRACTION, class_means, in_quanta, least_squares


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 200, (5, 24))
    y = np.arange(60) % 5
    return np.clip(centres[y] + rng.integers(-50, 50, (60, 24)), 0, 255), y


def floats(head):
    return (head.weight / 2**FRACTION).astype(float), (head.bias / 2**FRACTION).astype(float)


@pytest.mark.parametrize("damping", [0, 4, 8])
def test_least_squares_are_those_of_floats(samples, damping):
    x, y = samples
    weight, bias = floats(least_squares(x, y, 5, damping))
    one = int(np.sqrt((x * x).mean()))
    wide = np.c_[x, np.full(len(x), one)].astype(float)
    gram = wide.T @ wide
    gram += np.eye(25) * np.trace(gram) / 25 / 2**damping
    exact = np.linalg.solve(gram, wide.T @ (5 * np.eye(5)[y] - 1)).T
    assert np.allclose(weight, exact[:, :-1], atol=1e-6)
    assert np.allclose(bias, exact[:, -1] * one, atol=1e-4)
    assert ((x @ weight.T + bias).argmax(axis=1) == y).all()


def test_more_inputs_than_samples_and_inputs_that_are_always_zero(samples):
    x, y = samples
    wide = np.c_[x[:10], np.zeros((10, 40), np.int64)]
    weight, bias = floats(least_squares(wide, y[:10], 5, 8))
    assert (weight[:, 24:] == 0).all()
    assert ((wide @ weight.T + bias).argmax(axis=1) == y[:10]).all()


def test_class_means_are_those_of_floats(samples):
    x, y = samples
    weight, bias = floats(class_means(x, y, 5))
    means = np.stack([x[y == c].mean(axis=0) for c in range(5)])
    variance = ((x - means[y]) ** 2).mean()
    assert np.allclose(weight, (means - x.mean(axis=0)) / variance, rtol=1e-6, atol=1e-8)
    logits = x @ weight.T + bias
    nearest = ((x[:, None] - means) ** 2).sum(axis=2)
    assert np.allclose(logits - logits[:, :1], (nearest[:, :1] - nearest) / 2 / variance, atol=1e-4)


def test_samples_without_any_input_do_not_divide_by_zero():
    nothing = np.zeros((4, 3), np.int64)
    assert not class_means(nothing, np.array([0, 1, 0, 1]), 2).weight.any()
    assert not least_squares(nothing, np.array([0, 1, 0, 1]), 2, 4).weight.any()


def test_quanta_are_rounded_half_up():
    numbers = np.array([[1, -1], [3, 2]], dtype=object) << (FRACTION - 1)
    assert in_quanta(numbers, np.array([1.0, 2.0])).tolist() == [[1, 0], [3, 2]]
