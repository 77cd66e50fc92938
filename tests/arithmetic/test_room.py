import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.arithmetic.room import nearest, wider_by

ROWS = st.lists(st.integers(-32767, 32767), min_size=3, max_size=3)


@pytest.mark.parametrize(("q_max", "below"), [(127, 6), (7, 10)])
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_no_other_scale_is_nearer(rows, q_max, below):
    rows = np.array(rows)
    for row, e in zip(rows, wider_by(rows, below, q_max, 2), strict=True):
        lost = [np.sum((nearest(row, below + k, q_max) * 2 ** (below + k) - row) ** 2) for k in range(3)]
        assert lost[e] == min(lost) and lost.index(min(lost)) == e


def test_what_fits_stays_on_its_scale():
    rows = np.arange(-127, 128).reshape(1, -1) << 6
    assert wider_by(rows, 6, 127, 3).tolist() == [0]
    assert wider_by(np.zeros((2, 5), dtype=np.int64), 6, 127, 3).tolist() == [0, 0]
    assert nearest(rows, 6, 127).tolist() == [list(range(-127, 128))]
