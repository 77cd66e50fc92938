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


def start(correct: int, loss: float, snapshot: Any, given: int | None = None) -> Best:
    """The weights that the steps begin with are the first candidate; `given` is what the given ones reached, where that
    is another model."""
    return Best(0, correct, loss, snapshot, correct if given is None else given)
