"""Weights for inputs that vary together otherwise: exact sums, roots that are roots, and the identity where nothing
differs."""

import numpy as np
import pytest

from stepforward.arithmetic.matching import ONE
from stepforward.arithmetic.patches import Window, found, joined, lags, mixed, reference, roots, whole

WINDOW = Window((3, 2), (1, 2))
ZERO = np.zeros(2, dtype=np.int64)


def smooth(seed, count=40):
    """Inputs, of which neighbours are alike: (n, 9, 8, 2)."""
    white = np.random.default_rng(seed).normal(0, 40, (count, 11, 10, 2))
    mean = sum(white[:, y : y + 9, x : x + 8] for y in range(3) for x in range(3)) / 3
    mean[..., 1] += mean[..., 0] / 2
    return np.rint(mean).astype(np.int64)


def white(seed, count=40):
    """Inputs, of which neighbours have nothing in common."""
    return np.rint(np.random.default_rng(seed).normal(0, 60, (count, 9, 8, 2))).astype(np.int64)


def patches_of(x):
    """Every whole window of some inputs, (positions, 12)."""
    taps = [x[:, y : y + 7, side : side + 6] for y in range(3) for side in (0, 2)]
    return np.concatenate(taps, axis=-1).reshape(-1, 12)


def test_sums_are_those_of_the_definition_and_add_up():
    x = smooth(0, 5)
    sums = lags(x, ZERO + 3, WINDOW)
    d = x - 3
    assert sums.first.tolist() == d.sum(axis=(0, 1, 2)).tolist()
    assert sums.second[0, 1].tolist() == np.einsum("nyxc,nyxd->cd", d, d).tolist()
    assert sums.second[2, 2].tolist() == np.einsum("nyxc,nyxd->cd", d[:, :-2, :-2], d[:, 2:, 2:]).tolist()
    assert sums.second[1, 0].tolist() == np.einsum("nyxc,nyxd->cd", d[:, :-1, 2:], d[:, 1:, :-2]).tolist()
    both = joined(lags(x[:2], ZERO + 3, WINDOW), lags(x[2:], ZERO + 3, WINDOW))
    assert both.samples == 5 and np.array_equal(both.second, sums.second)


def test_the_matrix_is_the_covariance_of_windows():
    x = smooth(1, 400)
    known = reference(lags(x, ZERO, WINDOW), ZERO)
    units = np.tile(known.unit, 6)
    got = whole(known.lags, WINDOW) * (units[:, None] * units) / ONE / 256
    wanted = np.cov(patches_of(x).T)
    inside = np.array([[1, 6 / 8], [6 / 8, 1]])  # pairs that lie inside, of those that there are, in a row
    assert np.allclose(got[:4, :4], wanted[:4, :4] * np.kron(inside, np.ones((2, 2))), atol=60)
    assert np.linalg.eigvalsh(got).min() > 0


def test_roots_are_roots():
    vectors = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 20)))[0]
    matrix = np.rint((vectors * np.geomspace(0.1, 200, 20)) @ vectors.T * ONE).astype(np.int64)
    matrix = (matrix + matrix.T) >> 1
    root, inverse = (part / one for part, one in zip(roots(matrix), (2**16, 2**20), strict=True))
    assert np.abs(root @ root - matrix / ONE).max() < 0.02
    assert np.abs(root @ inverse - np.eye(20)).max() < 0.01
    assert roots(matrix - np.eye(20, dtype=np.int64) * ONE) is None


@pytest.mark.parametrize("part", [0, 256])
def test_the_reference_itself_moves_nothing(part):
    x = smooth(3)
    known = reference(lags(x, ZERO, WINDOW), ZERO)
    _, lag = found(lags(x, ZERO, WINDOW), known, WINDOW, part)
    weight = np.random.default_rng(4).integers(-127, 128, (5, 12))
    weight[:, 0] = 127
    made = mixed(weight, np.arange(5), known, ZERO, known.lags, WINDOW, 127)
    assert np.array_equal(made.weights, weight) and np.abs(made.ratio - ONE).max() <= 1
    assert np.abs(lag - known.lags).max() < 200 * (part > 0) + 1
    assert made.bias.tolist() == list(range(5))


def test_other_inputs_look_like_the_references_to_new_weights():
    x, other = smooth(5, 200), white(6, 200) + 9
    known = reference(lags(x, ZERO, WINDOW), ZERO)
    weight = np.random.default_rng(7).integers(-127, 128, (4, 12))
    made = mixed(
        weight, ZERO[[0, 0, 0, 0]], known, *found(lags(other, ZERO, WINDOW), known, WINDOW, 256), WINDOW, 127
    )
    wanted = np.cov((patches_of(x) @ weight.T).T)
    plain = np.cov((patches_of(other) @ weight.T).T)
    outputs = (patches_of(other) @ made.weights.T + made.bias) * made.ratio / ONE
    deviation = np.sqrt(np.diag(wanted))
    away = [np.abs(c / deviation / deviation[:, None] - wanted / deviation / deviation[:, None]).max() for c in
            (plain, np.cov(outputs.T))]  # fmt: skip
    assert away[1] < 0.35 < 0.7 < away[0]
    assert (np.abs(outputs.mean(axis=0)) < 0.2 * deviation).all()
