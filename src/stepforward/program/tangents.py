"""Tangents: a program that computes, next to what another computes, what a small change of a bias does to its outputs.

Where an operator is linear, a change goes through it as values do, by the same weights and multipliers and without bias
and zero points; where it cuts off, the change goes on where nothing was cut off. So a change may be large in its own
integers, while it stands for one as small as any: rounding takes next to nothing of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stepforward.arithmetic.fixedpoint import add_multipliers, quantize_multiplier
from stepforward.operators.add import Add
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.lookup import Lookup
from stepforward.operators.multiply import Multiply
from stepforward.operators.operator import Operator
from stepforward.operators.pad import Pad
from stepforward.operators.reshape import Reshape
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

SHARE = 8
"""A change begins as one over so many of its operator's largest output: room for sums on the way."""

FINER = 4
"""Bits that an output of 8 gets for the changes of it."""

SEED = 64
"""What a seed holds where a bias changes."""

COPIES = 8
"""Changes that one run carries: what they share, the program itself, is run once for all of them."""

_ONE = quantize_multiplier(1.0)
_SUM = Add(rescale=add_multipliers(1.0, 1.0))
_REACH = {"s8": 127, "s16": 32767}
_CUTTING = ("conv", "depthwise", "fully_connected", "add", "rescale")
_KEEPING = ("average_pool", "pad", "transpose", "reshape")
_WEIGHED = ("conv", "depthwise", "fully_connected")


class Tangents(NamedTuple):
    """A program of changes.

    Attributes:
        program: of which each of several changes of one bias has a part of the output, in order.
        seeds: parameters that say, for each of them, which number of the bias changes: zeros, and `SEED` there.
        size: of a change where it begins, in steps of the operator's output.
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
            if one.kind not in _RULES or any(program.tensors[i].dtype != "s8" for i in one.inputs):
                return False
    return True


def has_channels(program: Program, position: int) -> bool:
    """Whether each number of the bias at an operator has a channel of its output for itself, and is added nowhere
    else."""
    op = program.ops[position]
    own = program.tensors[op.output].shape[-1] == program.tensors[op.bias].elements
    return own and op.kind in _WEIGHED and [other.bias for other in program.ops].count(op.bias) == 1


def tangents(program: Program, position: int, copies: int = COPIES) -> Tangents:
    """The program of changes of one bias.

    Args:
        program: for which `has_tangents`.
        position: of the operator that adds the bias.
        copies: how many changes it carries.
    """
    made = _Made(program, position, copies)
    op = program.ops[position]
    ends = []
    for copy in range(copies):
        changes = {op.output: made.begin(op, copy)}
        for one in program.ops[position + 1 :]:
            if any(index in changes for index in one.inputs):
                changes[one.output] = _RULES[one.kind](made, one, changes)
        ends.append(changes[program.output])
    return Tangents(made.joined(ends), made.seeds)


def largest_at(program: Program, position: int) -> int:
    """How far the output of an operator goes from zero, in its steps."""
    what, y = program.ops[position].what, program.tensors[program.ops[position].output]
    return max(what.hi - y.zero_point, y.zero_point - what.lo)


def size_at(program: Program, position: int) -> int:
    """How large changes of the bias at an operator begin, in steps of its output."""
    return max(1, round(largest_at(program, position) / SHARE))


def finer_at_end(program: Program) -> int:
    """How many steps changes of the output have for one of the output."""
    return 2**FINER if any(_may_be_finer(op, program) for op in program.ops) else 1


def _may_be_finer(op: Op, program: Program) -> bool:
    of_sums = op.output == program.output and op.kind in _WEIGHED
    return (
        of_sums
        and program.tensors[op.output].dtype == "s8"
        and min(shift for _, shift in op.what.rescale) > FINER
    )


class _Made:
    """What is made so far: the program itself with the changes after it, in the numbers of the new program."""

    def __init__(self, program: Program, position: int, copies: int):
        self._program, self._position = program, position
        channels = sorted({program.tensors[op.bias].elements for op in program.ops if op.bias >= 0})
        own = program.tensors[program.ops[position].bias].elements
        first, section = program.parameter_count, bytearray(program.weights)
        self._parameters = list(program.parameters)
        self._zeros = {count: first + at for at, count in enumerate(channels)}
        self.seeds = tuple(first + len(channels) + at for at in range(copies))
        for count in channels:
            self._add_parameter(section, Tensor(f"no bias {count}", (count,), "s32", (1.0,)))
        for copy in range(copies):
            self._add_parameter(section, Tensor(f"change {copy}", (1, 1, own), "s8", (1.0,)))
        self._weights = bytes(section)
        self._shift = len(self._parameters) - program.parameter_count
        self._tensors = [*self._parameters, *program.tensors[program.parameter_count :]]
        self._ops = [
            replace(op, inputs=tuple(map(self.place, op.inputs)), output=self.place(op.output))
            for op in program.ops
        ]
        self._masks: dict[tuple[int, int], int] = {}

    def _add_parameter(self, section: bytearray, tensor: Tensor) -> None:
        section += bytes(-len(section) % 16)
        placed = replace(tensor, offset=len(section), frozen=True)
        section += pack(placed, np.zeros(placed.elements, np.int64))
        self._parameters.append(placed)

    def place(self, index: int) -> int:
        """The number of an activation of the old program."""
        return index + self._shift

    def old(self, index: int) -> Tensor:
        """A tensor of the old program."""
        return self._program.tensors[index]

    def zeros(self, op: Op) -> int:
        """A bias of zeros in place of an operator's."""
        return self._zeros[self._program.tensors[op.bias].elements]

    def is_output(self, op: Op) -> bool:
        """Whether an operator of the old program writes its output."""
        return op.output == self._program.output

    def is_finer(self, op: Op) -> bool:
        """Whether changes of the output of an operator have more bits than the output."""
        return _may_be_finer(op, self._program)

    def put(
        self, what: Operator, inputs: tuple[int, ...], like: Tensor, weight: int = -1, bias: int = -1
    ) -> int:
        """Append an operator; its output, a tensor like another, with changes around 0."""
        number = len(self._tensors)
        self._tensors.append(replace(like, name=f"changes {number}", zero_point=0))
        self._ops.append(Op(f"changes {number}", what, inputs, number, weight, bias))
        return number

    def table(self, index: int, entries: list[int], scale: float) -> int:
        """A function of an activation of the old program, by its 256 values."""
        like = replace(self.old(index), scale=(scale,))
        return self.put(Lookup(tables=tuple(entries)), (self.place(index),), like)

    def zeros_like(self, index: int) -> int:
        """Zeros in the shape of an activation of the old program."""
        if (index, 0) not in self._masks:
            self._masks[index, 0] = self.table(index, [0] * 256, 1.0)
        return self._masks[index, 0]

    def open_at(self, op: Op, value: int = 1) -> int:
        """Where the output of an operator was not cut off: a value there, zeros elsewhere."""
        if (op.output, value) not in self._masks:
            inside = range(op.what.lo + 1, op.what.hi) if self.cuts(op) else range(-128, 128)
            entries = [value * (q in inside) for q in range(-128, 128)]
            self._masks[op.output, value] = self.table(op.output, entries, 1.0)
        return self._masks[op.output, value]

    def cuts(self, op: Op) -> bool:
        """Whether an operator keeps one side of zero from going on, as a ReLU does."""
        return op.kind in _CUTTING and not op.what.lo < self.old(op.output).zero_point < op.what.hi

    def begin(self, op: Op, copy: int) -> int:
        """A change of one number of the bias of an operator, as its seed says."""
        y = self.old(op.output)
        *_, channels = y.shape
        image = replace(y, shape=(1, y.elements // channels, channels))
        ones = self.put(Reshape(), (self.open_at(op, size_at(self._program, self._position)),), image)
        what = Depthwise(rescale=(quantize_multiplier(1 / SEED),), lo=-127, hi=127)
        changed = self.put(what, (ones,), image, self.seeds[copy], self._zeros[channels])
        return self.put(Reshape(), (changed,), y)

    def joined(self, ends: list[int]) -> Program:
        """The finished program, with one output for all changes."""
        size = self._tensors[ends[0]].elements
        like = replace(self._tensors[ends[0]], shape=(1, 1, size))
        whole = replace(like, shape=(1, 1, size * len(ends)))
        total: int | None = None
        for at, end in enumerate(ends):
            row = self.put(Reshape(), (end,), like)
            wide = self.put(Pad(channels=(at * size, (len(ends) - 1 - at) * size)), (row,), whole)
            total = wide if total is None else self.put(_around_zero(_SUM, whole), (total, wide), whole)
        assert total is not None
        made = replace(
            self._program,
            tensors=tuple(self._tensors),
            ops=tuple(self._ops),
            input=self.place(self._program.input),
            output=total,
            parameter_count=len(self._parameters),
            weights=self._weights,
        )
        return plan_arena(_needed(made))


def _needed(program: Program) -> Program:
    """Without operators whose outputs nothing reads."""
    read, kept = {program.output}, []
    for op in reversed(program.ops):
        if op.output in read:
            kept.append(op)
            read |= {*op.inputs}
    return replace(program, ops=tuple(reversed(kept)))


def _linear(made: _Made, op: Op, changes: Mapping[int, int]) -> int:
    """An operator that does to changes what it does to values."""
    what, y = op.what, made.old(op.output)
    if isinstance(what, Pad):
        what = replace(what, value=0)
    if what.rescale or op.kind == "average_pool":
        if made.is_finer(op):
            y = replace(y, dtype="s16", scale=(y.scale[0] / 2**FINER,))
            what = replace(what, rescale=tuple((mult, shift - FINER) for mult, shift in what.rescale))
        what = _around_zero(what, y)
    bias = made.zeros(op) if op.bias >= 0 else -1
    moved = made.put(what, (changes[op.inputs[0]],), y, op.weight, bias)
    return _kept(made, op, moved)


def _joined(made: _Made, op: Op, changes: Mapping[int, int]) -> int:
    """A sum or a concatenation, with zeros for what does not change."""
    y = made.old(op.output)
    parts = tuple(changes[i] if i in changes else made.zeros_like(i) for i in op.inputs)
    return _kept(made, op, made.put(_around_zero(op.what, y), parts, y))


def _product(made: _Made, op: Op, changes: Mapping[int, int]) -> int:
    """Each factor's change by the other factor."""
    y, values = made.old(op.output), tuple(map(made.place, op.inputs))
    parts = [
        made.put(_around_zero(op.what, y), (*values[:side], changes[i], *values[side + 1 :]), y)
        for side, i in enumerate(op.inputs)
        if i in changes
    ]
    return parts[0] if len(parts) == 1 else made.put(_around_zero(_SUM, y), tuple(parts), y)


def _slopes(made: _Made, op: Op, changes: Mapping[int, int]) -> int:
    """A function of one value: changes by its slope, between the entries of its table on either side."""
    y, entries = made.old(op.output), np.array(op.what.tables, np.float64)
    slopes = np.gradient(entries)
    unit = max(float(np.abs(slopes).max()), 1 / 256) / 127
    slope = made.table(op.inputs[0], np.rint(slopes / unit).astype(int).tolist(), unit)
    what = _around_zero(Multiply(rescale=(quantize_multiplier(unit),)), y)
    return made.put(what, (changes[op.inputs[0]], slope), y)


def _kept(made: _Made, op: Op, moved: int) -> int:
    """Changes where nothing was cut off."""
    if made.is_output(op) or not made.cuts(op):
        return moved
    what = Multiply(rescale=(_ONE,), lo=-127, hi=127)
    return made.put(what, (moved, made.open_at(op)), made.old(op.output))


def _around_zero(what: Operator, y: Tensor) -> Operator:
    """An operator that cuts nothing off but what its output cannot hold."""
    return replace(what, lo=-_REACH[y.dtype], hi=_REACH[y.dtype])


_Rule = Callable[[_Made, Op, Mapping[int, int]], int]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys((*_WEIGHED, *_KEEPING, "rescale"), _linear),
    "add": _joined,
    "concat": _joined,
    "multiply": _product,
    "lookup": _slopes,
}
