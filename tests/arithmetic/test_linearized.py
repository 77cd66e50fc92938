"""Descent of a network that is linear in its biases, against floats."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.curvature import UNITS
from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.linearized import CHECKS, FRACTION, descent
from stepforward.arithmetic.loss import loss_rescale

SCALE, FARTHEST = 1 / 64, 32
OBJECTIVE, UNIT = loss_rescale(SCALE), quantize_multiplier(1 / SCALE / 2**UNITS)


def moves_of(plain, changes, labels):
    farthest = np.full(len(changes), FARTHEST << FRACTION)
    return list(descent(plain, changes, labels, OBJECTIVE, UNIT, farthest))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(logits, labels):
    return -np.log(softmax(logits * SCALE)[np.arange(len(labels)), labels]).mean()


def problem(seed, n=40, classes=4, numbers=12):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    changes = rng.integers(-40, 41, (numbers, n, classes))
    changes[:classes, np.arange(n), labels] += 30  # some biases help
    return rng.integers(-128, 128, (n, classes)), changes, labels


def in_floats(plain, changes, labels):
    """The same rule in float64."""
    shares = softmax(plain * SCALE) * 7 / 8 + 1 / 8 / plain.shape[1]
    mean = (shares * changes).sum(axis=2, keepdims=True)
    smooth = (changes - mean) * SCALE
    fisher = (shares * smooth**2).sum(axis=(1, 2))
    rates = 1 / (fisher + fisher.mean() / 256) / len(changes)
    moves, speed, found = np.zeros(len(changes)), np.zeros(len(changes)), []
    for step in range(1, CHECKS[-1] + 1):
        wrong = softmax((plain + np.tensordot(moves, changes, 1)) * SCALE)
        wrong[np.arange(len(labels)), labels] -= 1
        speed = 7 / 8 * speed + (wrong * changes * SCALE).sum(axis=(1, 2))
        moves = np.clip(moves - rates * speed, -FARTHEST, FARTHEST)
        if step in CHECKS:
            found.append(moves)
    return found


def test_it_is_the_rule_in_floats():
    plain, changes, labels = problem(3)
    ours = [move / 2**FRACTION for move in moves_of(plain, changes, labels)]
    for own, exact in zip(ours, in_floats(plain, changes, labels), strict=True):
        assert np.allclose(own, exact, atol=0.01 + 0.01 * np.abs(exact).max())


@given(st.integers(0, 2**32))
def test_the_loss_falls_where_the_network_is_linear(seed):
    plain, changes, labels = problem(seed)
    losses = [
        loss(plain + np.tensordot(move / 2**FRACTION, changes, 1), labels)
        for move in moves_of(plain, changes, labels)
    ]
    assert losses[0] < loss(plain, labels)
    assert losses[-1] < losses[0]


def test_a_bias_that_does_nothing_stays():
    plain, changes, labels = problem(1)
    changes[5] = 0
    for move in moves_of(plain, changes, labels):
        assert move[5] == 0
        assert move.any()


@given(st.integers(1, 3), st.integers(2, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_the_largest_changes_keep_their_bounds(n, classes, numbers, seed):
    rng = np.random.default_rng(seed)
    plain = rng.choice([-32768, 0, 32767], (n, classes))
    changes = rng.choice([-(2**20), -32767, 0, 1, 2**20], (numbers, n, classes))
    labels = rng.integers(0, classes, n)
    moves = moves_of(plain, changes, labels)
    assert len(moves) == len(CHECKS)
    assert all((abs(move) <= FARTHEST << FRACTION).all() for move in moves)
