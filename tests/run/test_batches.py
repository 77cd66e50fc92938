from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stepforward.run.batches import batch_indices


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
