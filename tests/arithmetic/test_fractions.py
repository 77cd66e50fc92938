import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic import fractions


@pytest.mark.parametrize("bits", [8, 4, 2])
@given(st.lists(st.integers(-127, 127), min_size=1, max_size=20), st.data())
def test_a_long_number_comes_apart_again(bits, w, data):
    half = 1 << (bits - 1)
    f = np.array([data.draw(st.integers(-half, half - 1)) for _ in w])
    number = fractions.long_number(np.array(w), f, bits)
    nearest, left = fractions.split(number, bits)
    assert nearest.tolist() == w and left.tolist() == f.tolist()
    packed = fractions.pack(f, bits)
    assert len(packed) == -(-len(w) * bits // 8)
    assert fractions.unpack(packed, bits, len(w)).tolist() == f.tolist()
