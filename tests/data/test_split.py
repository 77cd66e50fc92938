import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.data.dataset import Dataset
from stepforward.data.split import split
from stepforward.errors import StepforwardError


def labelled(labels):
    y = np.array(labels, dtype=np.int64)
    x = np.zeros((len(y), 1, 1, 1), np.float32)
    return Dataset(x, y, tuple("abcdefgh"), tuple(map(str, range(len(y)))))


@given(
    labels=st.lists(st.integers(0, 7), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**64 - 1),
)
def test_every_class_keeps_samples_on_both_sides(labels, fraction, seed):
    counts = np.bincount(labels, minlength=8)
    if counts.max() == 1:
        with pytest.raises(StepforwardError, match="one sample only"):
            split(labelled(labels), fraction, seed)
        return
    train, validation = split(labelled(labels), fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    held = np.bincount(np.array(labels)[validation], minlength=8)
    wanted = np.minimum(np.maximum(1, [round(count * fraction) for count in counts.tolist()]), counts - 1)
    np.testing.assert_array_equal(held, np.where(counts > 1, wanted, 0))


def test_same_seed_same_split_other_seed_other_split():
    data = labelled([0, 1] * 30)
    first, again, other = (split(data, 0.2, seed).validation.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_fraction_no_validation_and_nonsense_is_refused():
    train, validation = split(labelled([0, 1, 1]), 0.0, 0)
    assert train.tolist() == [0, 1, 2]
    assert len(validation) == 0
    for fraction in (-0.1, 1.0, float("nan")):
        with pytest.raises(StepforwardError, match="fraction"):
            split(labelled([0, 1, 1]), fraction, 0)
