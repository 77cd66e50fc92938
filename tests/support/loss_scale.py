"""The scale of logits whose loss takes a given multiplier and shift."""

import math


def loss_scale(mult: int, shift: int) -> float:
    """What `arithmetic.loss.loss_rescale` makes (mult, shift) of, or its double and one more shift."""
    return mult / 2**shift / (math.log2(math.e) * 65536)
