"""Tangents: a program that computes, next to what another computes, what a small change of a bias does to its outputs.

Where an operator is linear, a change goes through it as values do, by the same weights and multipliers and without bias
and zero points; where it cuts off, the change goes on where nothing was cut off. So a change may be large in its own
integers, while it stands for one as small as any: rounding takes next to nothing of it.
"""

from typing import NamedTuple

from stepforward.program.model import Program
from stepforward.program.tangent_program import WEIGHED, Made
from stepforward.program.tangent_rules import RULES

COPIES = 8
"""Changes that one run carries: what they share, the program itself, is run once for all of them."""


class Tangents(NamedTuple):
    """A program of changes.

    Attributes:
        program: of which each of several changes of one bias has a part of the output, in order.
        seeds: parameters that say, for each of them, which number of the bias changes: zeros, and
            `tangent_program.SEED` there.
    """

    program: Program
    seeds: tuple[int, ...]


def has_tangents(program: Program, position: int) -> bool:
    """Whether a change of the bias at an operator can be carried to the output: not through a maximum, whose choice
    among neighbours turns with changes far smaller than moves, nor through norms, products of many or states."""
    op, y = program.ops[position], program.tensors[program.ops[position].output]
    if op.output == program.output or y.dtype != "s8" or not has_channels(program, position):
        return False
    reached = {op.output}
    for one in program.ops[position + 1 :]:
        if reached & {*one.inputs}:
            reached.add(one.output)
            if one.kind not in RULES or any(program.tensors[i].dtype != "s8" for i in one.inputs):
                return False
    return True


def has_channels(program: Program, position: int) -> bool:
    """Whether each number of the bias at an operator has a channel of its output for itself, and is added nowhere
    else."""
    op = program.ops[position]
    own = program.tensors[op.output].shape[-1] == program.tensors[op.bias].elements
    return own and op.kind in WEIGHED and [other.bias for other in program.ops].count(op.bias) == 1


def tangents(program: Program, position: int, copies: int = COPIES) -> Tangents:
    """The program of changes of one bias.

    Args:
        program: for which `has_tangents`.
        position: of the operator that adds the bias.
        copies: how many changes it carries.
    """
    made = Made(program, position, copies)
    op = program.ops[position]
    ends = []
    for copy in range(copies):
        changes = {op.output: made.begin(op, copy)}
        for one in program.ops[position + 1 :]:
            if any(index in changes for index in one.inputs):
                changes[one.output] = RULES[one.kind](made, one, changes)
        ends.append(changes[program.output])
    return Tangents(made.joined(ends), made.seeds)
