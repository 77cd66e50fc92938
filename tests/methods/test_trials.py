import numpy as np
import pytest

from stepforward.methods.trials import both_sides, shares


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 8, 80])
@pytest.mark.parametrize("directions", [1, 3, 4, 255])
def test_no_share_is_empty_and_no_sample_is_left_out(samples, directions):
    found = [np.arange(samples)[rows].tolist() for rows in shares(samples, directions)]
    assert len(found) == directions and all(found)
    assert sorted({sample for share in found for sample in share}) == list(range(samples))
    if directions <= samples:
        assert sum(map(len, found)) == samples


@pytest.mark.parametrize("share_batch", [True, False])
def test_both_sides_of_a_direction_see_the_same_samples(share_batch):
    trials = both_sides(6, 3, share_batch)
    assert [trial.moves for trial in trials] == [((i, side),) for i in range(3) for side in (1, -1)]
    assert all(up.rows == down.rows for up, down in zip(trials[::2], trials[1::2], strict=True))
