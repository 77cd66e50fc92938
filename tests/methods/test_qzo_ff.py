"""What losses make of the votes, on an engine that remembers what it was asked."""

import numpy as np

from stepforward.arithmetic.votes import votes
from stepforward.engines.protocol import Batch
from stepforward.methods.qzo_ff import qzo_ff


class Remembering:
    """An engine whose loss is the sum of the labels times the side of the probe."""

    plan, vote_scale = None, 0

    def __init__(self):
        self.asked, self.updates = [], []

    def losses(self, step, batch, trials, gather):
        self.asked.append((step, [(batch.y[trial.rows].tolist(), *trial.moves) for trial in trials]))
        return [int(batch.y[trial.rows].sum()) * trial.moves[0].amount for trial in trials]

    def votes(self, losses):
        return votes("sign", losses, 0)[0]

    def update(self, step, votes):
        self.updates.append((step, votes))


def take(labels, directions, share_batch):
    engine, y = Remembering(), np.array(labels)
    (step,) = qzo_ff(engine, lambda number: Batch.of(y[:, None], y), iter([7]), directions, share_batch)
    assert engine.updates == [(7, step.votes)]
    return engine, step


def test_directions_that_share_a_batch_see_every_mth_sample_of_it():
    engine, step = take([1, -2, 3, 4, -5, -6, 7], 3, share_batch=True)
    shares = [[1, 4, 7], [-2, -5], [3, -6]]
    assert engine.asked == [(7, [(shares[i], (i, side)) for i in range(3) for side in (1, -1)])]
    assert step.votes == (1, -1, -1)
    assert step.losses == (12, -12, -7, 7, -3, 3)
    assert step.forward_passes == 2 * 7


def test_without_sharing_every_direction_sees_all_samples():
    engine, step = take([1, -2, 3], 2, share_batch=False)
    assert engine.asked == [(7, [([1, -2, 3], (i, side)) for i in range(2) for side in (1, -1)])]
    assert (step.votes, step.forward_passes) == ((1, 1), 2 * 2 * 3)
