"""Run a program by the contract: a dictionary of tensors and one kernel after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepforward.reference import kernels
from stepforward.reference.fixedpoint import Int

if TYPE_CHECKING:  # the definition stands below the program and imports nothing of it
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
    values = dict(values)
    for op in ops:
        values[op.output] = _apply(program, op, weights, values)
    return values


def _apply(program: Program, op: Op, weights: Mapping[int, Int], values: Mapping[int, Int]) -> Int:
    inputs = [values[index] for index in op.inputs]
    formats = [program.tensors[index] for index in op.inputs]
    x, x_tensor, y = inputs[0], formats[0], program.tensors[op.output]
    if op.weight >= 0:
        kernel = {
            "conv": kernels.conv,
            "depthwise": kernels.depthwise,
            "fully_connected": kernels.fully_connected,
        }
        return kernel[op.kind](x, weights[op.weight], weights[op.bias], op, x_tensor, y)
    match op.kind:
        case "add":
            return kernels.add(inputs, op, formats, y)
        case "concat":
            return kernels.concat(inputs, op, formats, y)
        case "rescale":
            return kernels.rescale(x, op, x_tensor, y)
        case "max_pool":
            return kernels.max_pool(x, op, y)
        case "average_pool":
            return kernels.average_pool(x, op, x_tensor, y)
        case "pad":
            return kernels.pad(x, op)
        case "transpose":
            return kernels.transpose(x, op)
        case "reshape":
            return kernels.reshape(x, y)
    raise ValueError(f"unknown operator kind {op.kind}")


def logits(program: Program, weights: Mapping[int, Int], x: NDArray[np.int8]) -> Int:
    """Integer logits of a batch of s8 inputs, shape (n, classes)."""
    values = run(program, program.ops, weights, {program.input: x.astype(np.int64)})
    return values[program.output].reshape(len(x), -1)
