"""How an array of another shape than the network's input is read, where there is one way only."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Turn = Callable[[NDArray], NDArray]


class Reading(NamedTuple):
    """What to do with a block of rows, and how a person would say it ("" where nothing is done)."""

    turn: Turn
    said: str


_AS_IT_IS = Reading(lambda block: block, "")


def input_reading(
    sample: tuple[int, ...], wanted: tuple[int, ...], channels_last: bool = False
) -> Reading | None:
    """Rows of shape `sample` as network inputs of shape `wanted`; None where no way or no single way leads there.

    Args:
        channels_last: whether `wanted` is (H, W, C) rather than (C, H, W).

    >>> input_reading((28, 28), (1, 28, 28)).said
    'a channel axis is added'
    >>> input_reading((3072,), (3, 32, 32)) is None     # by channels or by pixels?
    True
    """
    if sample == wanted:
        return _AS_IT_IS
    if len(wanted) == 3 and channels_last:
        height, width, channels = wanted
        if sample == (height, width) and channels == 1:
            return Reading(lambda block: block[..., None], "a channel axis is added")
        if sample == (channels, height, width):
            return Reading(
                lambda block: np.moveaxis(block, 1, -1), "the first axis, channels, becomes the last"
            )
        if sample == (height * width,) and channels == 1:
            return Reading(lambda block: block.reshape(-1, *wanted), _flat(height, width))
    elif len(wanted) == 3:
        channels, height, width = wanted
        if sample == (height, width) and channels == 1:
            return Reading(lambda block: block[:, None], "a channel axis is added")
        if sample == (height, width, channels):
            return Reading(
                lambda block: np.moveaxis(block, -1, 1), "the last axis, channels, becomes the first"
            )
        if sample == (height * width,) and channels == 1:
            return Reading(lambda block: block.reshape(-1, *wanted), _flat(height, width))
    if len(wanted) == 2 and sample == wanted[::-1]:
        return Reading(lambda block: block.swapaxes(1, 2), "the two axes of each sample are swapped")
    if len(wanted) == 1 and sorted(sample) == [1] * (len(sample) - 1) + [*wanted]:
        return Reading(lambda block: block.reshape(-1, *wanted), "axes of length 1 are dropped")
    return None


def image_reading(sample: tuple[int, ...], settings: dict) -> Reading | None:
    """Rows of shape `sample` as images (H, W, channels); None where no way or no single way leads there."""
    channels, height, width = settings["channels"], settings["height"], settings["width"]
    if 0 in sample:
        return None
    if len(sample) == 3 and sample[2] == channels:
        return _AS_IT_IS
    if len(sample) == 3 and sample[0] == channels:
        return Reading(lambda block: np.moveaxis(block, 1, -1), "the first axis is read as channels")
    if len(sample) == 3 and sample[2] == 1:
        return Reading(
            lambda block: np.repeat(block, channels, axis=-1), "grey is repeated for every channel"
        )
    if len(sample) == 2:
        more = "" if channels == 1 else ", grey is repeated for every channel"
        return Reading(
            lambda block: np.repeat(block[..., None], channels, axis=-1), f"a channel axis is added{more}"
        )
    if sample == (height * width,) and channels == 1:
        return Reading(lambda block: block.reshape(-1, height, width, 1), _flat(height, width))
    return None


def _flat(height: int, width: int) -> str:
    return f"each row is read as {height} lines of {width} values"
