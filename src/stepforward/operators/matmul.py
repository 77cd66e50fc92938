"""Matrix product of two tensors."""

from dataclasses import dataclass

import numpy as np

from stepforward.operators.operator import Operator


@dataclass(frozen=True, kw_only=True)
class MatMul(Operator):
    """Product of the matrices in the last two axes of two tensors, one pair of them for each place in the other axes:
    (.., M, K) by (.., K, N). One pair, of scale_a * scale_b / scale_y.

    Attributes:
        transposed: the second tensor is (.., N, K).
    """

    kind = "matmul"

    transposed: bool = False

    def run(self, x, formats, y, parameters=()):
        """The definition."""
        a, b = (values - t.zero_point for values, t in zip(x, formats, strict=True))
        return self.finish(np.matmul(a, b.swapaxes(-1, -2) if self.transposed else b), y)
