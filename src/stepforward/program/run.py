"""Run a program by the definition: a dictionary of tensors and one operator after another."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.program.model import Op, Program


def run(
    program: Program, ops: Iterable[Op], weights: Mapping[int, Int], values: Mapping[int, Int]
) -> dict[int, Int]:
    """Values of all tensors after some operators.

    Args:
        program: whose operators these are.
        ops: a slice of `program.ops`.
        weights: integers of each parameter by tensor index, in the stored shape.
        values: activations already known, by tensor index, shape (n, *tensor.shape).
    """
    values, tensors = dict(values), program.tensors
    for op in ops:
        inputs, formats = [values[i] for i in op.inputs], [tensors[i] for i in op.inputs]
        parameters = [weights[i] for i in op.parameters]
        values[op.output] = op.what.run(inputs, formats, tensors[op.output], parameters)
    return values


def logits(program: Program, weights: Mapping[int, Int], x: NDArray[np.integer]) -> Int:
    """Integer logits of a batch of inputs, shape (n, classes)."""
    values = run(program, program.ops, weights, {program.input: x.astype(np.int64)})
    return values[program.output].reshape(len(x), -1)
