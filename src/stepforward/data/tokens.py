"""Token ids become the vectors that they stand for in a network's table."""

import numpy as np
from numpy.typing import NDArray

from stepforward.data.room import check_room
from stepforward.data.rows import Rows
from stepforward.errors import StepforwardError

TABLE = "table"
"""The entry of preprocessing settings that holds the table, float32 (ids, D), of a network of token ids. It comes from
the network itself, never from its metadata."""


def vectors(where: str, ids: Rows, table: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What the network reads in place of ids.

    Args:
        where: how messages name the samples.
        ids: whole numbers, (N, tokens).
        shape: of one sample that the network reads, (tokens, D).

    Returns:
        float32 (N, tokens, D).

    Raises:
        StepforwardError: they are no ids of this table, or not as many as the network reads, by sample and position.
    """
    what = f"{where}: x is {ids.dtype} of shape {ids.shape}; the network reads token ids, whole numbers (N, {shape[0]})"
    if ids.dtype.kind not in "iu":
        raise StepforwardError(
            what, f"give the ids of the tokens, from 0 to {len(table) - 1}, as int32 or int64"
        )
    if ids.shape[1:] != shape[:1]:
        raise StepforwardError(
            what, f"cut samples to {shape[0]} tokens, and fill short ones up as in training"
        )
    check_room(where, (ids.shape[0], *shape))
    found, row = np.empty((ids.shape[0], *shape), np.float32), 0
    for block in ids.blocks():
        wrong = np.argwhere((block < 0) | (block >= len(table)))
        if len(wrong):
            sample, position = wrong[0]
            raise StepforwardError(
                f"{where}: sample {row + sample} holds id {block[sample, position]} at position {position}, and the "
                f"table of the network has rows 0 to {len(table) - 1}",
                "use the vocabulary that the network was trained with",
            )
        found[row : row + len(block)] = table[block]
        row += len(block)
    return found
