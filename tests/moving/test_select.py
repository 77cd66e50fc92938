import pytest
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.moving.select import select


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ("all", range(8)),
        ("head", [6, 7]),
        ("last:1", [6, 7]),
        ("last:2", [4, 5, 6, 7]),
        ("bias", [1, 3, 5, 7]),
        ("stem.*", [0, 1]),
        ("*.weight", [0, 2, 4, 6]),
        ("stem.bias, head.*", [1, 6, 7]),
    ],
)
def test_words_and_patterns(train, expected):
    assert select(small_program(), train) == tuple(expected)


@pytest.mark.parametrize("train", ["last:0", "last:5", "last:x", "none.*", "stem.*,nothing"])
def test_what_matches_nothing_is_refused_with_the_names(train):
    with pytest.raises(StepforwardError, match="--train"):
        select(small_program(), train)
