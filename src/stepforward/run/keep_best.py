"""Never worse: which of the weights seen is kept, decided on validation samples alone."""

from typing import NamedTuple


class Best(NamedTuple):
    """The best weights so far; `base_correct` is what the given weights reached."""

    step: int
    correct: int
    loss: float
    weights: bytes
    base_correct: int

    def beaten_by(self, correct: int, loss: float) -> bool:
        """A lower validation loss wins, unless it names fewer samples right than the given weights did."""
        return loss < self.loss and correct >= self.base_correct


def start(correct: int, loss: float, weights: bytes) -> Best:
    """The given weights are the first candidate."""
    return Best(0, correct, loss, weights, correct)
