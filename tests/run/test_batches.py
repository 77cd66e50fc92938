from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepforward.run.batches import balanced_indices, batch_indices


@given(st.integers(0, 2**64 - 1), st.integers(2, 60), st.integers(1, 60))
def test_every_epoch_sees_every_sample_once(seed, n, size):
    batches = batch_indices(seed, n, size)
    if size >= n:
        assert batches(7).tolist() == list(range(n))
        return
    stream = [
        int(i) for step in range(n) for i in batches(step)
    ]  # n steps of `size` samples are `size` epochs
    assert all(Counter(stream[i * n : (i + 1) * n]) == Counter(range(n)) for i in range(size))


def test_a_step_can_be_asked_for_at_any_time():
    first, again = batch_indices(3, 50, 8), batch_indices(3, 50, 8)
    later = first(40).tolist()
    assert [again(step).tolist() for step in range(41)][40] == later


@given(
    st.integers(0, 2**64 - 1),
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.integers(1, 64),
    st.integers(1, 8),
)
def test_every_share_of_a_balanced_batch_holds_all_classes_alike(seed, sizes, size, shares):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    batches = balanced_indices(seed, labels, size, shares)
    shares = min(shares, size, len(labels))
    for step in (0, 1, 1000):
        chosen = batches(step)
        assert len(chosen) == min(size, len(labels))
        for share in range(shares):
            counts = np.bincount(labels[chosen[share::shares]], minlength=len(sizes))
            assert counts.max() - counts.min() <= 1


@given(st.integers(0, 2**64 - 1), st.integers(1, 12))
def test_a_rare_class_repeats_its_own_samples_evenly(seed, rare):
    labels = np.array([0] * 60 + [7] * rare)
    repeats = -(-60 // rare)
    batches = balanced_indices(seed, labels, 2 * rare)
    seen = Counter(int(i) for step in range(3 * repeats) for i in batches(step) if labels[i] == 7)
    assert seen == dict.fromkeys(range(60, 60 + rare), 3 * repeats)


def test_balanced_batches_can_be_asked_for_at_any_time():
    labels = np.arange(50) % 3
    first, again = (balanced_indices(3, labels, 8, 2) for _ in range(2))
    later = first(40).tolist()
    assert [again(step).tolist() for step in range(41)][40] == later
    assert later != balanced_indices(4, labels, 8, 2)(40).tolist()
