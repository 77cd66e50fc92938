"""Master weights: 16-bit weights that learn in place of low-bit ones, and their rounding to what is deployed."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from stepforward.arithmetic.fixedpoint import Int, quantize_multiplier
from stepforward.arithmetic.room import nearest, wider_by
from stepforward.arithmetic.rounding import CONTRACT
from stepforward.program.last_layer import not_linear, wider
from stepforward.program.model import BITS, Op, Program, Tensor
from stepforward.program.weights import pack, pack_all, unpack, unpack_all

_LARGEST_BIAS, _LARGEST_SHIFT = 2**30, 47
"""Half of the s32 range, so that a bias has room to learn; what an operator can shift its sums by."""


def no_room(program: Program, moving: Collection[int]) -> str | None:
    """Why the weights of the last layer cannot have room to grow. None if they can."""
    op = program.ops[-1]
    fault = not_linear(program)
    if fault is not None:
        return fault
    if op.weight not in moving:
        return f"the weights of {op.name}, the last layer, do not move"
    if BITS[program.tensors[op.weight].dtype] == 16:
        return f"{op.name}, the last layer, has weights of 16 bits"
    if op.what.rounding != CONTRACT:
        return f"{op.name} rounds as another runtime does, and its scales stay as they are"
    return None


def with_master_weights(program: Program, moving: Sequence[int], room: int = 0) -> Program:
    """The program with 16-bit weights where operators read s8 or s4 weights that move, finer by a power of two.

    Every output is the same to the last bit, where the operator rounds as the contract does; of another rounding's
    multipliers the nearest of the contract are taken, which moves one output in some hundreds by one. The weights and
    biases of such an operator are 2^s times what they were, s as large as 16 bits, the bias and the shift of its
    rescaling allow (8 or 12 as a rule); its sums are shifted by s more.

    Args:
        program: with low-bit weights.
        moving: parameters that will move.
        room: powers of two that the weights of the last layer may grow by, which are so many bits less fine; 0, or
            `no_room` finds nothing.
    """
    finer: dict[int, int] = {}  # s of each parameter
    for group in _groups(program):
        if any(op.weight in moving and program.tensors[op.weight].dtype in ("s8", "s4") for op in group):
            shift = _finest(program, group, room if program.ops[-1] in group else 0)
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


def rounded(program: Program, master: Program, section: bytes, room: int = 0) -> Program:
    """The program of low-bit weights nearest to those that learned in their place, halves up.

    Args:
        program: with low-bit weights.
        master: what `with_master_weights` made of it, or the same program.
        section: weights of `master`.
        room: as `with_master_weights` had it. The scales of the last layer are as many powers of two larger as bring
            its weights nearest.
    """
    values = unpack_all(master, section)
    below: dict[int, Int | int] = {
        i: _finer_by(t, master.tensors[i]) for i, t in enumerate(program.parameters)
    }
    changed = program
    if room:
        by = _grown(program, master, values, room)
        changed = wider(program, by.tolist())
        for index in program.ops[-1].parameters:
            below[index] = below[index] + by.reshape(-1, *[1] * (values[index].ndim - 1))
    q = {i: nearest(values[i], below[i], t.q_max) for i, t in enumerate(program.parameters)}
    return replace(changed, weights=pack_all(program, q))


def _grown(program: Program, master: Program, values: Mapping[int, Int], room: int) -> Int:
    """Powers of two for each scale of the last layer."""
    op = program.ops[-1]
    tensor, learned = program.tensors[op.weight], master.tensors[op.weight]
    most = min(room, *(shift for _, shift in op.what.rescale))
    return wider_by(
        values[op.weight].reshape(len(tensor.scale), -1), _finer_by(tensor, learned), tensor.q_max, most
    )


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


def _finest(program: Program, group: Sequence[Op], room: int) -> int:
    """How many bits finer the parameters of some operators can be, where their weights have room to grow."""
    bits = [16]
    for op in group:
        bits.append(16 - BITS[program.tensors[op.weight].dtype] - room)
        bits += [_LARGEST_SHIFT - shift for _, shift in _contract_pairs(op)]
        bias = int(np.abs(unpack(program.tensors[op.bias], program.weights)).max())
        bits.append(max(0, (_LARGEST_BIAS // max(bias, 1)).bit_length() - 1))
    return min(bits)


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
