"""Softmax over the last axis."""

import math
from dataclasses import dataclass

import numpy as np

from stepforward.arithmetic.fixedpoint import clamp, multiply, shift_right
from stepforward.arithmetic.loss import exp2_negative
from stepforward.arithmetic.rows import reciprocal, top_bit
from stepforward.operators.operator import Operator

MOST_COLUMNS = 65536


@dataclass(frozen=True, kw_only=True)
class Softmax(Operator):
    """Softmax over the last axis, in powers of two as the loss has them. One pair, of scale_x * log2(e) * 2^16.

    Attributes:
        bits: probabilities are counted in steps of 2^-bits.
        mask: which entries are read, if not all: the bits of `packed`, of some rows, that rows take one after the
            other; others have probability 0.
    """

    kind = "softmax"

    bits: int = 8
    mask: tuple[int, ...] = ()

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        (pair,) = self.rescale
        read = self._read(x[0].shape)
        top = np.where(read, x[0], -(2**31)).max(axis=-1, keepdims=True)
        powers = np.where(read, exp2_negative(multiply(np.where(read, top - x[0], 0), *pair)), 0)
        total = powers.sum(axis=-1, keepdims=True)
        k = top_bit(total)
        shift = 31 + k - self.bits
        value = shift_right(powers * reciprocal(61, total >> (k - 30)), np.minimum(shift, 62))
        return clamp(np.where(shift > 62, 0, value) + y.zero_point, self.lo, self.hi)

    def _read(self, shape):
        """Which entries of a batch of this shape are read."""
        if not self.mask:
            return np.bool_(True)
        columns = shape[-1]
        bits = np.array(self.mask, "<i4").reshape(-1, -(-columns // 32)).view(np.uint8)
        rows = np.unpackbits(bits, axis=1, bitorder="little")[:, :columns].astype(bool)
        sample = shape[1:]
        return np.broadcast_to(rows, (math.prod(sample) // rows.size, *rows.shape)).reshape(1, *sample)


def packed(read: np.ndarray) -> tuple[int, ...]:
    """The words of a mask, bool (rows, columns): of each row 32 entries in a word, the first in the lowest bit.

    >>> packed(np.array([[True, False, True]]))
    (5,)
    """
    words = np.zeros((len(read), -(-read.shape[1] // 32) * 32), bool)
    words[:, : read.shape[1]] = read
    return tuple(np.packbits(words, axis=1, bitorder="little").view("<i4").reshape(-1).tolist())
