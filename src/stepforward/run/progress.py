"""What a running adaptation tells whoever watches."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """State after one step; losses in nats per sample. Without labels `information` in their place: how many bits
    predictions say of a held-out sample, at best.
    """

    step: int
    steps: int
    best_step: int
    steps_per_second: float
    seconds_left: float
    train_loss: float = float("nan")
    validation_accuracy: float = float("nan")
    validation_loss: float = float("nan")
    information: float | None = None


OnProgress = Callable[[Progress], None]
