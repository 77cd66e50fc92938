import shutil

import numpy as np
import pytest

from stepforward.bench import kernel
from stepforward.bench.kernel import convolution, kernel_shares
from stepforward.bench.operators import operator_runner
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.memory import multiply_accumulates


def test_the_timed_program_is_a_convolution_like_any_other():
    program = convolution(channels=2, rows=3)
    assert multiply_accumulates(program, program.ops[0]) == 16 * 16 * 3 * 9 * 2
    x = (np.arange(2 * 16 * 16 * 2) * 7 % 251 - 125).astype(np.int8).reshape(2, 16, 16, 2)
    logits = logits_of(CoreEngine(program), x)
    np.testing.assert_array_equal(logits, logits_of(ReferenceEngine(program), x))
    assert len(np.unique(logits)) > 50


def test_a_runner_takes_one_block_of_samples():
    program = convolution(channels=2, rows=3)
    call, block = operator_runner(program, np.zeros((5, 16, 16, 2), dtype=np.int8))
    call(0, 1)
    assert 1 <= block <= 5


def test_shares_are_of_the_peak_on_as_many_threads(monkeypatch):
    monkeypatch.setattr(kernel, "multiply_peak", lambda threads: {"macs_per_second": threads * 1e15})
    rows = kernel_shares(2, seconds=0, channels=(2, 4), rows=(3,))
    assert [(row["products"], row["rows"], row["threads"]) for row in rows] == [(18, 3, 2), (36, 3, 2)]
    for row in rows:
        assert row["share"] == pytest.approx(row["macs_per_second"] / 2e15)
        assert row["macs_per_second"] > 0


def test_without_a_compiler_there_is_no_share(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert kernel_shares(1, seconds=0, channels=(2,), rows=(3,)) == []
