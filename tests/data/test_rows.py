import numpy as np
import pytest

from stepforward.data import rows


@pytest.mark.parametrize("block", [1, 40, 10_000])
@pytest.mark.parametrize("shape", [(17,), (17, 3), (17, 2, 5), (1, 4)])
def test_rows_are_reordered_in_place(monkeypatch, block, shape):
    monkeypatch.setattr(rows, "BLOCK_BYTES", block)
    array, order = np.random.default_rng(0).normal(size=shape), np.random.default_rng(1).permutation(shape[0])
    expected = array[order]
    rows.reorder(array, order)
    np.testing.assert_array_equal(array, expected)


def test_an_array_in_another_order_is_no_place_to_reorder():
    with pytest.raises(ValueError, match="contiguous"):
        rows.reorder(np.zeros((3, 4, 5)).transpose(0, 2, 1), np.arange(3))


def test_rows_with_nan_or_inf_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_BYTES", 64)
    array = np.zeros((50, 2, 3), np.float32)
    array[[7, 33], 1, 2] = np.nan, -np.inf
    assert np.flatnonzero(~rows.finite_rows(array)).tolist() == [7, 33]
