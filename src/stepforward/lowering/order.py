"""In which order the elements of an activation lie in memory, and the fewest moves that bring them into another one.

A network's Reshape and Transpose only change how an activation is read: its sample's axes are made of *atoms*, which
lie one after the other in memory, and no move is made before an operator asks for an order that it does not have.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

MOST_AXES = 4
"""Dimensions that the core transposes."""


@dataclass(frozen=True)
class Order:
    """How the elements of one sample are read.

    Attributes:
        memory: sizes of the atoms, in the order in which they lie; none is 1.
        axes: of each logical axis, the atoms that it is made of, as positions in `memory`; none where its size is 1.
    """

    memory: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], order: tuple[int, ...]) -> "Order":
        """Of logical axes that lie in an order.

        >>> Order.of((3, 32, 1), (1, 2, 0))
        Order(memory=(32, 3), axes=((1,), (0,), ()))
        """
        moving = [axis for axis in order if shape[axis] > 1]
        axes = tuple((moving.index(axis),) if axis in moving else () for axis in range(len(shape)))
        return cls(tuple(shape[axis] for axis in moving), axes)

    def sequence(self, order: tuple[int, ...]) -> list[int]:
        """The atoms of logical axes in an order."""
        return [atom for axis in order for atom in self.axes[axis]]

    def lies(self, order: tuple[int, ...]) -> bool:
        """Whether the axes lie in this order."""
        return self.sequence(order) == list(range(len(self.memory)))

    def transposed(self, permutation: tuple[int, ...]) -> "Order":
        """With logical axes in another order."""
        return Order(self.memory, tuple(self.axes[axis] for axis in permutation))

    def reshaped(
        self, order: tuple[int, ...], shape: tuple[int, ...], target: tuple[int, ...]
    ) -> "Order | None":
        """With other axes, where every one of them is made of whole atoms or of parts of one; else None.

        Args:
            order: in which the present axes are counted.
            shape: of the new axes, counted in the order `target`.
        """
        sizes, place = _runs(self.memory, self.sequence(order))
        left = list(zip(place, sizes, strict=True))
        parts: list[tuple[int, int, int]] = []
        axes: dict[int, list[int]] = {}
        for axis in target:
            size, axes[axis] = shape[axis], []
            while size > 1:
                at, atom = left.pop(0)
                if atom > size:
                    if atom % size:
                        return None
                    left.insert(0, (at, atom // size))
                    atom = size
                if size % atom:
                    return None
                size //= atom
                axes[axis].append(len(parts))
                parts.append((at, len(parts), atom))
        lying = [part for _, part, _ in sorted(parts)]
        memory = tuple(parts[part][2] for part in lying)
        return Order(memory, tuple(tuple(lying.index(p) for p in axes[axis]) for axis in range(len(shape))))


class Move(NamedTuple):
    """One operator: a Transpose, or a Reshape where there is no permutation; with the shape of its result."""

    shape: tuple[int, ...]
    permutation: tuple[int, ...] | None


def moves(
    memory: tuple[int, ...], wanted: list[int], shape: tuple[int, ...], target: tuple[int, ...]
) -> list[Move]:
    """The operators that bring atoms into another order.

    Args:
        memory: their sizes, in the order in which they lie.
        wanted: positions in `memory` in the order in which they shall lie.
        shape: of the tensor that holds them; target: the shape that it shall have.

    >>> moves((32, 24, 3), [2, 0, 1], (32, 24, 3), (3, 32, 24))
    [Move(shape=(3, 32, 24), permutation=(2, 0, 1))]
    >>> moves((65, 4, 16), [1, 0, 2], (1, 65, 64), (4, 65, 16))
    [Move(shape=(65, 4, 16), permutation=None), Move(shape=(4, 65, 16), permutation=(1, 0, 2))]
    """
    memory, wanted = _refined(memory, wanted, shape)
    if wanted == sorted(wanted):
        return [Move(target, None)] if shape != target else []
    direct = _direct(memory, wanted, shape, target)
    if direct is not None:
        return [Move(target, direct)]
    steps, now = [], shape
    for split, permutation in _swaps(memory, wanted, target):
        if now != split:
            steps.append(Move(split, None))
        now = tuple(split[axis] for axis in permutation)
        steps.append(Move(now, permutation))
    return steps if now == target else [*steps, Move(target, None)]


def natural(memory: tuple[int, ...], wanted: list[int], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that the dimensions of a tensor have in another order of its atoms; None where they are torn apart.

    >>> natural((32, 24, 3), [2, 0, 1], (32, 24, 3))
    (3, 32, 24)
    """
    memory, wanted = _refined(memory, wanted, shape)
    groups = _groups(memory, range(len(memory)), shape)
    if groups is None:
        return None
    groups = sorted(groups, key=lambda group: min((wanted.index(at) for at in group), default=-1))
    if [at for group in groups for at in group] != wanted:
        return None
    return tuple(math.prod(memory[at] for at in group) for group in groups)


def _refined(memory, wanted, shape):
    """Atoms and their order with every atom cut where a dimension of the tensor ends in it, if that is even."""
    dims, cut = [size for size in shape if size > 1], []
    for size in memory:
        parts = []
        while size > 1:
            step = math.gcd(size, dims[0]) if dims else size
            if step not in (size, dims[0] if dims else size):
                return memory, wanted
            parts.append(step)
            size //= step
            if dims:
                dims[0] //= step
                dims = dims[1:] if dims[0] == 1 else dims
        cut.append(parts)
    starts = [sum(map(len, cut[:at])) for at in range(len(cut))]
    finer = tuple(part for parts in cut for part in parts)
    return finer, [starts[at] + i for at in wanted for i in range(len(cut[at]))]


def _runs(memory, sequence):
    """Atoms that are neighbours in memory and in a sequence as one: (sizes, positions in memory), in the sequence."""
    starts = [i for i, at in enumerate(sequence) if i == 0 or sequence[i - 1] != at - 1]
    bounds = [*starts, len(sequence)]
    sizes = [math.prod(memory[at] for at in sequence[begin:end]) for begin, end in pairwise(bounds)]
    return sizes, [sequence[start] for start in starts]


def _groups(memory, sequence, shape):
    """The atoms of each dimension of a tensor, or None where one ends inside an atom."""
    left, groups = list(sequence), []
    for size in shape:
        group: list[int] = []
        while math.prod(memory[at] for at in group) < size and left:
            group.append(left.pop(0))
        if math.prod(memory[at] for at in group) != size:
            return None
        groups.append(tuple(group))
    return groups


def _direct(memory, wanted, shape, target):
    """The permutation of the tensor's own dimensions that does it alone, or None."""
    if len(shape) != len(target) or len(shape) > MOST_AXES:
        return None
    before, after = _groups(memory, range(len(memory)), shape), _groups(memory, wanted, target)
    if before is None or after is None or sorted(before) != sorted(after):
        return None
    permutation = []
    for group in after:
        permutation.append(next(i for i, old in enumerate(before) if old == group and i not in permutation))
    return tuple(permutation)


def _swaps(memory, wanted, target):
    """(shape, permutation) of each step: one of at most four axes, or several that swap two neighbouring blocks."""
    sizes, place = _runs(memory, wanted)
    order = [sorted(place).index(at) for at in place]
    sizes = [size for _, size in sorted(zip(place, sizes, strict=True))]
    whole = _groups(memory, wanted, target)
    if whole is not None and len(target) <= MOST_AXES:
        lying = sorted((group for group in whole if group), key=min)
        if all(list(group) == list(range(group[0], group[-1] + 1)) for group in lying):
            split = tuple(math.prod(memory[at] for at in group) for group in lying)
            empty = [axis for axis, group in enumerate(whole) if not group]
            shape = (*(1 for _ in empty), *split)
            permutation = [len(empty) + lying.index(group) if group else -1 for group in whole]
            for at, axis in enumerate(empty):
                permutation[axis] = at
            return [(shape, tuple(permutation))]
    if len(sizes) <= MOST_AXES:
        return [(tuple(sizes), tuple(order))]
    now, steps = list(range(len(sizes))), []
    for at, atom in enumerate(order):
        found = now.index(atom)
        if found == at:
            continue
        blocks = now[:at], now[at:found], now[found : found + 1], now[found + 1 :]
        steps.append((tuple(math.prod(sizes[one] for one in block) for block in blocks), (0, 2, 1, 3)))
        now = [*blocks[0], *blocks[2], *blocks[1], *blocks[3]]
    return steps
