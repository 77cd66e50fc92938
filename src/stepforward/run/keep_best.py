"""Never worse: which of the weights seen is kept, decided on validation samples alone."""

from typing import Any, NamedTuple


class Best(NamedTuple):
    """The best weights so far, as the engine gave them; `base_correct` is what the given weights reached."""

    step: int
    correct: int
    loss: float
    snapshot: Any
    base_correct: int

    def beaten_by(self, correct: int, loss: float) -> bool:
        """A lower validation loss wins, unless it classifies fewer samples correctly than the given weights did."""
        return loss < self.loss and correct >= self.base_correct


def start(correct: int, loss: float, snapshot: Any, least: int = 0) -> Best:
    """The weights that the steps begin with are the first candidate; `least` is what others reached before them."""
    return Best(0, correct, loss, snapshot, max(correct, least))
