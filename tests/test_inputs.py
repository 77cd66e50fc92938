import numpy as np
import pytest
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input

PROGRAM = small_program()  # reads (2, 9, 7): scale 0.02, zero point -3


def test_samples_are_rounded_half_to_even_saturated_and_stored_hwc():
    x = np.zeros((3, 2, 9, 7), np.float32)
    x[0, 1, 4, 5] = 0.02 * 10
    x[1], x[2] = 1e30, -1e30
    q = quantize_input(PROGRAM, x)
    assert (q.shape, q.dtype) == ((3, 9, 7, 2), np.int8)
    assert q.flags.c_contiguous
    assert q[0, 4, 5, 1] == 10 - 3
    assert (np.delete(q[0].ravel(), (4 * 7 + 5) * 2 + 1) == -3).all()
    assert (q[1] == 127).all()
    assert (q[2] == -128).all()


@pytest.mark.parametrize("shape", [(1, 9, 7, 2), (2, 9, 7), (1, 2, 9, 7, 1), (1, 1, 9, 7)])
def test_another_shape_is_refused(shape):
    with pytest.raises(StepforwardError, match=r"the network reads \(2, 9, 7\)"):
        quantize_input(PROGRAM, np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value):
    x = np.zeros((3, 2, 9, 7), np.float32)
    x[1, 0, 0, 0] = value
    with pytest.raises(StepforwardError, match="sample 1 "):
        quantize_input(PROGRAM, x)
