"""Sparse updates in the C core against the reference, on hosts and in the loop of devices."""

from dataclasses import replace

import numpy as np
import pytest
import small
from alike import trained
from plain import plain

from stepforward.plan.make import plan_training
from stepforward.plan.model import Mask
from stepforward.program.weights import unpack_all

RULES = ["magnitude", "random", "threshold"]


def share_moved(program, weights):
    before, after = unpack_all(program), unpack_all(program, weights)
    changed = sum(int((before[index] != after[index]).sum()) for index in before)
    return changed / sum(tensor.elements for tensor in program.parameters)


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("directions", [1, 3])
def test_masked_directions_train_to_the_same_bits(dtype, rule, directions):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    settings = plain(
        steps=4, lr=0.05, directions=directions, sparsity=0.75, mask=rule, sizes="relative", votes="graded"
    )
    weights = trained(program, plan_training(program, range(8), settings))
    assert 0 < share_moved(program, weights) < 0.3


@pytest.mark.parametrize(
    "changes",
    [
        {"momentum": 0.9, "rounding": "stochastic"},
        {"perturbation": "paper", "rounding": "floor", "distribution": "rademacher"},
        {"tail": "exact", "distribution": "binomial", "low_bits": "fraction-2"},
        {"low_bits": "fraction-4"},
        {"low_bits": "accumulate-2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rule", RULES)
def test_masks_go_with_every_other_setting(changes, rule):
    program = small.small_program("s8", per_channel=True)
    settings = {"steps": 4, "lr": 0.05, "epsilon": 0.01, "directions": 2, "sparsity": 0.5, "mask": rule}
    trained(program, plan_training(program, range(8), plain(**settings | changes)))


@pytest.mark.parametrize("dtype", ["s16", "s4"])
def test_bits_are_a_mask(dtype):
    program = small.small_program(dtype)
    plan = plan_training(program, range(8), plain(steps=4, lr=0.3, epsilon=0.1))
    rng, entries = np.random.default_rng(0), []
    for entry in plan.trainable:
        elements = program.tensors[entry.tensor].elements
        words = rng.integers(0, 2**32, -(-elements // 32), dtype=np.uint64)
        words[-1] %= 2 ** (elements % 32 or 32)
        entries.append(replace(entry, mask=Mask("bits", tuple(int(word) for word in words))))
    weights = trained(program, replace(plan, trainable=tuple(entries)))
    assert 0.2 < share_moved(program, weights) < 0.6


def test_rows_longer_than_a_chunk_are_masked_alike():
    program = small.long_rows_program()
    for rule in RULES:
        settings = plain(steps=2, lr=0.05, sparsity=0.9, mask=rule, sizes="relative")
        trained(program, plan_training(program, range(program.parameter_count), settings), steps=2)
