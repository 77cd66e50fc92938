"""The program of changes as it is made: the program itself, and what is put after it."""

from dataclasses import replace

import numpy as np

from stepforward.arithmetic.fixedpoint import add_multipliers, quantize_multiplier
from stepforward.operators.add import Add
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.lookup import Lookup
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

WEIGHED = ("conv", "depthwise", "fully_connected")
"""Operators whose changes are begun, and whose sums may have more bits."""

SUM = Add(rescale=add_multipliers(1.0, 1.0))
"""Of two changes in the same steps."""

_CUTTING = (*WEIGHED, "add", "rescale")
_REACH = {"s8": 127, "s16": 32767}


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
    of_sums = op.output == program.output and op.kind in WEIGHED
    return (
        of_sums
        and program.tensors[op.output].dtype == "s8"
        and min(shift for _, shift in op.what.rescale) > FINER
    )


def around_zero(what: Operator, y: Tensor) -> Operator:
    """An operator that cuts nothing off but what its output cannot hold."""
    return replace(what, lo=-_REACH[y.dtype], hi=_REACH[y.dtype])


class Made:
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
        self._put: dict[tuple, int] = {}

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
        """Append an operator, unless the same is there; its output, a tensor like another, with changes around 0.

        What copies have in common, such as masks, is there once for all of them.
        """
        key = what, inputs, like, weight, bias
        if key not in self._put:
            number = self._put[key] = len(self._tensors)
            self._tensors.append(replace(like, name=f"changes {number}", zero_point=0))
            self._ops.append(Op(f"changes {number}", what, inputs, number, weight, bias))
        return self._put[key]

    def table(self, index: int, entries: list[int], scale: float) -> int:
        """A function of an activation of the old program, by its 256 values."""
        like = replace(self.old(index), scale=(scale,))
        return self.put(Lookup(tables=tuple(entries)), (self.place(index),), like)

    def zeros_like(self, index: int) -> int:
        """Zeros in the shape of an activation of the old program."""
        return self.table(index, [0] * 256, 1.0)

    def open_at(self, op: Op, value: int = 1) -> int:
        """Where the output of an operator was not cut off: a value there, zeros elsewhere."""
        inside = range(op.what.lo + 1, op.what.hi) if self.cuts(op) else range(-128, 128)
        return self.table(op.output, [value * (q in inside) for q in range(-128, 128)], 1.0)

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
            total = wide if total is None else self.put(around_zero(SUM, whole), (total, wide), whole)
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
