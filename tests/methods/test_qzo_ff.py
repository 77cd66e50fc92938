"""Which samples each direction is tried on, and what its losses make of the vote, on an engine that remembers."""

import numpy as np
import pytest

from stepforward.methods.probes import parts
from stepforward.methods.qzo_ff import qzo_ff


class Remembering:
    """An engine whose loss is the sum of the labels times the sign of the probe, and that keeps what it was asked."""

    def __init__(self):
        self.asked, self.updates = [], []

    def losses(self, x, y, probes):
        assert np.array_equal(x[:, 0], y)
        self.asked.append((y.tolist(), [(p.step, p.direction, p.sign) for p in probes]))
        return [int(y.sum()) * p.sign for p in probes]

    def update(self, step, votes):
        self.updates.append((step, votes))


def take(labels, directions, share_batch):
    y = np.array(labels)
    engine = Remembering()
    (step,) = qzo_ff(engine, lambda number: (y[:, None], y), range(7, 8), directions, share_batch)
    assert engine.updates == [(7, step.votes)]
    return engine, step


def test_directions_that_share_a_batch_see_every_mth_sample_of_it():
    engine, step = take([1, -2, 3, 4, -5, -6, 7], 3, share_batch=True)
    assert engine.asked == [
        ([1, 4, 7], [(7, 0, 1), (7, 0, -1)]),
        ([-2, -5], [(7, 1, 1), (7, 1, -1)]),
        ([3, -6], [(7, 2, 1), (7, 2, -1)]),
    ]
    assert step.votes == (1, -1, -1)
    assert step.losses == (12, -12, -7, 7, -3, 3)
    assert step.forward_passes == 2 * 7


def test_without_sharing_every_direction_sees_all_samples_in_one_call():
    engine, step = take([1, -2, 3], 2, share_batch=False)
    assert engine.asked == [([1, -2, 3], [(7, 0, 1), (7, 0, -1), (7, 1, 1), (7, 1, -1)])]
    assert (step.votes, step.forward_passes) == ((1, 1), 2 * 2 * 3)


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 8, 80])
@pytest.mark.parametrize("directions", [1, 3, 4, 255])
def test_no_share_is_empty_and_no_sample_is_left_out(samples, directions):
    shares = [np.arange(samples)[part].tolist() for part, _ in parts(samples, directions, True)]
    assert [chosen for _, chosen in parts(samples, directions, True)] == [(i,) for i in range(directions)]
    assert all(shares)
    assert sorted({sample for share in shares for sample in share}) == list(range(samples))
    if directions <= samples:
        assert sum(map(len, shares)) == samples
