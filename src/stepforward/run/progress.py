"""What a running adaptation tells whoever watches."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """State after one step; losses in nats per sample."""

    step: int
    steps: int
    train_loss: float
    validation_accuracy: float
    validation_loss: float
    best_step: int
    steps_per_second: float
    seconds_left: float


OnProgress = Callable[[Progress], None]
