"""What epsilon and the learning rate are measured in: units of the weights, or each tensor's own size."""

import math
from collections.abc import Sequence

import numpy as np

from stepforward.arithmetic.step import channels
from stepforward.errors import StepforwardError
from stepforward.program.model import Program
from stepforward.program.weights import unpack

BIAS = 1 / 32
"""The size of a bias, in ranges of its operator's output, where no probes have measured it."""


def quantum(program: Program, index: int, sizes: str, factors: Sequence[float] = ()) -> tuple[float, ...]:
    """One step of a parameter's grid in the units of epsilon and the learning rate, for each of its scales.

    With absolute sizes that is the scale. With relative ones it is one over the size of the tensor in its own quanta,
    so that a network whose inputs or weights are all twice as large is the same network. The size of a weight is its
    root mean square in the given program, at least one quantum; all its channels are moved equally far. The size of a
    bias says nothing, being often 0: a thirty-second of the range of its operator's output stands for it. With that,
    all biases together bend the loss about a tenth as much as all weights do, so that neither waits for the other.

    Args:
        program: with the weights that training starts from.
        index: of the parameter.
        sizes: "absolute", "relative", or "kernel": each channel of a weight by its own root mean square.
        factors: what the sizes of biases are multiplied by, in the order of `biases`; none for 1. Not with absolute
            sizes.

    Raises:
        StepforwardError: a bias has a size of no operator, since none reads it; or a weight has one scale for all its
            kernels, which are to be told apart; or there are not as many factors as biases.
    """
    tensor = program.tensors[index]
    if sizes == "absolute":
        return tensor.scale
    if tensor.dtype == "s32":
        size = BIAS * _reach(program, index) * _factor(program, index, factors)
        return tuple(scale / size for scale in tensor.scale)
    if sizes == "kernel" and len(tensor.scale) == 1 and tensor.elements > 1:
        raise StepforwardError(
            f"sizes = {sizes!r}, but {tensor.name} has one scale for all its channels",
            "use --sizes relative, or --bits 8w8a or 4w8a, which give each channel its own",
        )
    squares = unpack(tensor, program.weights).reshape(-1) ** 2
    of = channels(tensor) if len(tensor.scale) > 1 else np.zeros_like(squares)
    if sizes == "kernel":
        kernels = [squares[of == c] for c in range(len(tensor.scale))]
        return tuple(1 / max(math.sqrt(int(k.sum()) / max(k.size, 1)), 1.0) for k in kernels)
    finest = min(tensor.scale)
    sums = [int(squares[of == c].sum()) * (scale / finest) ** 2 for c, scale in enumerate(tensor.scale)]
    size = max(math.sqrt(math.fsum(sums) / tensor.elements), 1.0)  # in quanta of the finest channel
    return tuple(scale / finest / size for scale in tensor.scale)


def biases(program: Program) -> list[int]:
    """All biases of a program, in its order."""
    return [index for index, tensor in enumerate(program.parameters) if tensor.dtype == "s32"]


def _factor(program: Program, bias: int, factors: Sequence[float]) -> float:
    if not factors:
        return 1.0
    found = biases(program)
    if len(found) != len(factors):
        raise StepforwardError(
            f"bias_sizes has {len(factors)} numbers, for {len(found)} biases",
            "give one for each bias of the network, or auto",
        )
    return factors[found.index(bias)]


def _reach(program: Program, bias: int) -> float:
    """The largest output of the operators that add a bias, in its own real unit; the smallest, if there are several."""
    reaches = []
    for op in program.ops:
        if op.bias == bias:
            out = program.tensors[op.output]
            most = max(op.what.hi - out.zero_point, out.zero_point - op.what.lo)
            reaches.append(most * out.scale[0])
    if not reaches:
        name = program.tensors[bias].name
        raise StepforwardError(f"no operator reads {name}", "keep this tensor out of --train")
    return min(reaches)
