"""Master weights: 16-bit weights that learn in place of low-bit ones, and their rounding to what is deployed."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stepforward.arithmetic.fixedpoint import clamp, quantize_multiplier, shift_right
from stepforward.arithmetic.rounding import CONTRACT
from stepforward.program.model import BITS, Op, Program, Tensor
from stepforward.program.weights import pack, pack_all, unpack, unpack_all

_LARGEST_BIAS, _LARGEST_SHIFT = 2**30, 47
"""Half of the s32 range, so that a bias has room to learn; what an operator can shift its sums by."""


def with_master_weights(program: Program, moving: Sequence[int]) -> Program:
    """The program with 16-bit weights where operators read s8 or s4 weights that move, finer by a power of two.

    Every output is the same to the last bit, where the operator rounds as the contract does; of another rounding's
    multipliers the nearest of the contract are taken, which moves one output in some hundreds by one. The weights and
    biases of such an operator are 2^s times what they were, s as large as 16 bits, the bias and the shift of its
    rescaling allow (8 or 12 as a rule); its sums are shifted by s more.

    Args:
        program: with low-bit weights.
        moving: parameters that will move.
    """
    finer: dict[int, int] = {}  # s of each parameter
    for group in _groups(program):
        if any(op.weight in moving and program.tensors[op.weight].dtype in ("s8", "s4") for op in group):
            shift = _room(program, group)
            finer |= {index: shift for op in group for index in op.parameters}
    tensors, section = list(program.tensors), b""
    for index, tensor in enumerate(program.parameters):
        shift = finer.get(index, 0)
        scale = tuple(value / 2**shift for value in tensor.scale)
        dtype = "s16" if shift and tensor.dtype != "s32" else tensor.dtype
        tensors[index] = replace(tensor, dtype=dtype, scale=scale, offset=len(section))
        section += pack(tensors[index], unpack(tensor, program.weights) << shift)
        section += bytes(-len(section) % 4)
    ops = tuple(_shifted(op, finer.get(op.weight, 0)) for op in program.ops)
    return replace(program, tensors=tuple(tensors), ops=ops, weights=section)


def rounded(program: Program, master: Program, section: bytes) -> bytes:
    """The weights section of `program` nearest to that of the program that learned in its place, halves up.

    Args:
        program: with low-bit weights.
        master: what `with_master_weights` made of it, or the same program.
        section: weights of `master`.
    """
    values = unpack_all(master, section)
    for index, (tensor, learned) in enumerate(zip(program.parameters, master.parameters, strict=True)):
        q = shift_right(values[index], _finer_by(tensor, learned))
        values[index] = clamp(q, -tensor.q_max, tensor.q_max)
    return pack_all(program, values)


def _finer_by(tensor: Tensor, learned: Tensor) -> int:
    """The power of two between two scales; dividing by one is exact."""
    return math.frexp(tensor.scale[0] / learned.scale[0])[1] - 1


def _groups(program: Program) -> list[list[Op]]:
    """Operators that read parameters, those together that share one: they must stay in step."""
    groups: list[list[Op]] = []
    for op in program.ops:
        if op.parameters:
            mine = [g for g in groups if any(set(op.parameters) & set(other.parameters) for other in g)]
            groups = [g for g in groups if g not in mine] + [[*(other for g in mine for other in g), op]]
    return groups


def _room(program: Program, group: Sequence[Op]) -> int:
    """How many bits finer the parameters of some operators can be."""
    room = [16]
    for op in group:
        room.append(16 - BITS[program.tensors[op.weight].dtype])
        room += [_LARGEST_SHIFT - shift for _, shift in _contract_pairs(op)]
        bias = int(np.abs(unpack(program.tensors[op.bias], program.weights)).max())
        room.append(max(0, (_LARGEST_BIAS // max(bias, 1)).bit_length() - 1))
    return min(room)


def _shifted(op: Op, shift: int) -> Op:
    if not shift:
        return op
    pairs = tuple((mult, old + shift) for mult, old in _contract_pairs(op))
    return replace(op, what=replace(op.what, rescale=pairs, rounding=CONTRACT))


def _contract_pairs(op: Op) -> list[tuple[int, int]]:
    """The pairs of an operator with weights, of 16 bits."""
    if op.what.rounding == CONTRACT:
        return list(op.what.rescale)
    return [quantize_multiplier(mult / 2**shift) for mult, shift in op.what.rescale]
