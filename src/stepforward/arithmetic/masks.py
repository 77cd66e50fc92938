"""Masks: which elements of a tensor its directions move; all others have z = 0 (contract, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.directions import MASK, half_words
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.step import per_element

if TYPE_CHECKING:  # the definition stands below plan and program and imports nothing of them
    from stepforward.program.model import Tensor


def kept(mask, seed: int, index: int, tensor: Tensor, base: Int) -> NDArray[np.bool_]:
    """Whether each element of a parameter moves, shape (elements,).

    Args:
        mask: `plan.model.Mask`.
        seed: of the plan.
        index: of the parameter in its program.
        tensor: the parameter.
        base: its integers in the program's file, in stored order, shape (elements,).
    """
    if mask.form == "random":
        return half_words(seed, 0, MASK, index, tensor.elements) < mask.words[0]
    if mask.form == "least":
        return np.abs(base) >= per_element(tensor, mask.words)
    bits = np.array(mask.words, dtype="<u4").view(np.uint8)
    return np.unpackbits(bits, bitorder="little")[: tensor.elements].astype(bool)
