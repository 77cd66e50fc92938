"""What each operator does to changes of what it reads."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.operators.multiply import Multiply
from stepforward.operators.pad import Pad
from stepforward.program.model import Op
from stepforward.program.tangent_program import FINER, SUM, WEIGHED, Made, around_zero

_KEEPING = ("average_pool", "pad", "transpose", "reshape")

Rule = Callable[[Made, Op, Mapping[int, int]], int]
"""Of an operator and the changes of activations by their numbers: puts what gives the change of its output."""


def _linear(made: Made, op: Op, changes: Mapping[int, int]) -> int:
    """An operator that does to changes what it does to values."""
    what, y = op.what, made.old(op.output)
    if isinstance(what, Pad):
        what = replace(what, value=0)
    if what.rescale or op.kind == "average_pool":
        if made.is_finer(op):
            y = replace(y, dtype="s16", scale=(y.scale[0] / 2**FINER,))
            what = replace(what, rescale=tuple((mult, shift - FINER) for mult, shift in what.rescale))
        what = around_zero(what, y)
    bias = made.zeros(op) if op.bias >= 0 else -1
    moved = made.put(what, (changes[op.inputs[0]],), y, op.weight, bias)
    return _kept(made, op, moved)


def _joined(made: Made, op: Op, changes: Mapping[int, int]) -> int:
    """A sum or a concatenation, with zeros for what does not change."""
    y = made.old(op.output)
    parts = tuple(changes[i] if i in changes else made.zeros_like(i) for i in op.inputs)
    return _kept(made, op, made.put(around_zero(op.what, y), parts, y))


def _product(made: Made, op: Op, changes: Mapping[int, int]) -> int:
    """Each factor's change by the other factor."""
    y, values = made.old(op.output), tuple(map(made.place, op.inputs))
    parts = [
        made.put(around_zero(op.what, y), (*values[:side], changes[i], *values[side + 1 :]), y)
        for side, i in enumerate(op.inputs)
        if i in changes
    ]
    return parts[0] if len(parts) == 1 else made.put(around_zero(SUM, y), tuple(parts), y)


def _slopes(made: Made, op: Op, changes: Mapping[int, int]) -> int:
    """A function of one value: changes by its slope, between the entries of its table on either side."""
    y, entries = made.old(op.output), np.array(op.what.tables, np.float64)
    slopes = np.gradient(entries)
    unit = max(float(np.abs(slopes).max()), 1 / 256) / 127
    slope = made.table(op.inputs[0], np.rint(slopes / unit).astype(int).tolist(), unit)
    what = around_zero(Multiply(rescale=(quantize_multiplier(unit),)), y)
    return made.put(what, (changes[op.inputs[0]], slope), y)


def _kept(made: Made, op: Op, moved: int) -> int:
    """Changes where nothing was cut off."""
    if made.is_output(op) or not made.cuts(op):
        return moved
    what = Multiply(rescale=(quantize_multiplier(1.0),), lo=-127, hi=127)
    return made.put(what, (moved, made.open_at(op)), made.old(op.output))


RULES: dict[str, Rule] = {
    **dict.fromkeys((*WEIGHED, *_KEEPING, "rescale"), _linear),
    "add": _joined,
    "concat": _joined,
    "multiply": _product,
    "lookup": _slopes,
}
