"""The C core's tables and stream functions against the reference's."""

import runpy
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.directions import DISTRIBUTIONS, direction
from stepforward.core.bindings import library

ROOT = Path(__file__).parents[2]


def test_the_tables_in_c_are_up_to_date():
    made = runpy.run_path(str(ROOT / "tools" / "make_constants.py"))["tables_source"]()
    assert (ROOT / "src" / "stepforward" / "core" / "base" / "tables.c").read_text() == made


@given(
    st.sampled_from(DISTRIBUTIONS),
    st.integers(0, 2**64 - 1),
    *[st.integers(0, 2**32 - 1)] * 3,
    st.integers(0, 700),
    st.integers(0, 400),
)
def test_any_piece_of_a_direction_is_the_same(name, seed, step, index, tensor, first, count):
    z = np.zeros(count, np.int8)
    library().sf_directions(DISTRIBUTIONS.index(name), seed, step, index, tensor, first, count, z.ctypes.data)
    assert np.array_equal(z, direction(name, seed, step, index, tensor, first + count)[first:])
