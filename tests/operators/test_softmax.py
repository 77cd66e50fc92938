"""A softmax that reads a part of each row."""

from dataclasses import replace

import numpy as np
import pytest

from stepforward.arithmetic.loss import loss_rescale
from stepforward.core.checks import refusal
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.operators.softmax import Softmax, packed
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import from_bytes, to_bytes
from stepforward.program.model import Op, Program, Tensor

ROWS, COLUMNS = 4, 40


def program(mask):
    x = Tensor("x", (2, ROWS, COLUMNS), "s8", (0.1,), offset=-1)
    y = replace(x, name="y", dtype="s16", scale=(2.0**-15,), offset=0)
    what = Softmax(bits=15, mask=mask, rescale=(loss_rescale(0.1),), lo=-32768, hi=32767)
    return plan_arena(Program((x, y), (Op("softmax", what, (0,), 1),), 0, 1, 0, b""))


def test_what_is_not_read_has_no_part_in_a_row():
    read = np.tri(ROWS, COLUMNS, 30, dtype=bool)
    made = program(packed(read))
    content = to_bytes(made)
    assert refusal(content) is None and from_bytes(content) == made
    x = np.random.default_rng(0).integers(-128, 128, (3, 2, ROWS, COLUMNS), dtype=np.int8)
    found = logits_of(CoreEngine(made), x).reshape(x.shape)
    assert (found[..., ~read] == 0).all()
    short = x[0, 1, 0, :31]  # the first row by itself
    alone = Softmax(bits=15, rescale=(loss_rescale(0.1),), lo=-32768, hi=32767)
    expected = alone.run([short[None].astype(np.int64)], [], Tensor("y", (31,), "s16", (2.0**-15,)))
    assert np.array_equal(found[0, 1, 0, :31], expected[0])
    x[..., ~read] = 127
    assert np.array_equal(logits_of(CoreEngine(made), x).reshape(x.shape), found)


@pytest.mark.parametrize(
    "mask",
    [(1,), (1, 1, 1), (1, 0) * 3, (0, 0) * 4, (1, 0, 1, 0, 0, 0, 1, 0), (1, 1 << 8) * 4, (1, 0) * 16],
    ids=[
        "half a row",
        "rows and a half",
        "three rows",
        "nothing",
        "an empty row",
        "past the end",
        "too many rows",
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask):
    assert refusal(to_bytes(program(mask))) is not None
