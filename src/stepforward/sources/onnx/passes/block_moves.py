"""Changes of shape and order that follow each other, with any number of axes, as few moves with at most four.

A channel shuffle, a pixel shuffle and their like split axes, permute them and join them again. Here the samples'
axes are split into *atoms*, which no change of the chain splits further; the whole chain is then one permutation of
atoms. Atoms that stay neighbours are one. A permutation of more than four atoms is made of steps that swap two
neighbouring blocks, `(before, a, b, after) -> (before, b, a, after)`, four axes each.
"""

import math
from itertools import pairwise

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    describe,
    dims,
    replace_node,
    sole_consumer,
)

_MOVES = ("Reshape", "Flatten", "Transpose")
_MOST_AXES = 4


def open_blocks(graph: ir.Graph) -> None:
    """Write DepthToSpace and SpaceToDepth as Reshape, Transpose and Reshape."""
    for node in list(graph):
        if node.op_type in ("DepthToSpace", "SpaceToDepth"):
            n, channels, height, width = dims(node.inputs[0], node)
            b = attribute(node, "blocksize")
            if node.op_type == "SpaceToDepth":
                split, perm = [n, channels, height // b, b, width // b, b], [0, 3, 5, 1, 2, 4]
            elif attribute(node, "mode", "DCR") == "DCR":
                split, perm = [n, b, b, channels // b**2, height, width], [0, 3, 4, 1, 5, 2]
            else:
                split, perm = [n, channels // b**2, b, b, height, width], [0, 1, 4, 2, 5, 3]
            _write(node, node.inputs[0], [(split, perm)], list(dims(node.outputs[0], node)))


def join_orders(graph: ir.Graph) -> None:
    """Join a Transpose that moves the batch with those that read it: most bring it back."""
    for node in list(graph):
        if node.graph is None or node.op_type != "Transpose" or attribute(node, "perm")[0] == 0:
            continue
        for use in list(node.outputs[0].uses()):
            if use.node.op_type == "Transpose":
                first, second = attribute(node, "perm"), attribute(use.node, "perm")
                perm = [first[axis] for axis in second]
                if perm == sorted(perm):
                    bypass(use.node, node.inputs[0])
                else:
                    replace_node(use.node, "Transpose", [node.inputs[0]], {"perm": perm})
        if not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
            graph.remove(node, safe=True)


def block_moves(graph: ir.Graph) -> None:
    """Shorten chains of Reshape, Flatten and Transpose that have too many axes, or that need fewer nodes.

    Raises:
        StepforwardError: a Transpose moves the batch.
    """
    for node in list(graph):
        if node.graph is None or node.op_type not in _MOVES or _continues(node):
            continue
        chain = [node]
        while (reader := sole_consumer(chain[-1].outputs[0])) is not None and reader.op_type in _MOVES:
            chain.append(reader)
        while chain:
            chain = _shorten(chain)


def _continues(node):
    before = node.inputs[0].producer()
    return before is not None and before.op_type in _MOVES and sole_consumer(node.inputs[0]) is node


def _shorten(chain):
    """Rewrite the start of a chain that is one permutation of atoms, if that needs fewer nodes or axes; the rest."""
    source = chain[0].inputs[0]
    shape, atoms, count = list(dims(source)), _Atoms(dims(source)[1:]), 0
    while count < len(chain) and atoms.follow(chain[count]):
        count += 1
    # A change of shape that splits atoms unevenly still ends this part: whatever came before, it reads the order.
    part, rest = chain[: count + 1], chain[count + 1 :]
    last, target = part[-1], list(dims(part[-1].outputs[0], part[-1]))
    sizes, order = atoms.merged()
    steps = [] if order == sorted(order) else _swaps(shape, sizes, order)
    most = max(len(dims(node.outputs[0], node)) for node in part) - 1
    if most > _MOST_AXES or _length(shape, steps, target) < len(part):
        for node in part[:-1]:
            bypass(node, node.inputs[0])
        _write(last, source, steps, target)
    return rest


def _length(shape, steps, target):
    """How many nodes `_write` needs."""
    count = 0
    for split, perm in steps:
        count += 1 + (split != shape)
        shape = [split[axis] for axis in perm]
    return count + (shape != target)


class _Atoms:
    """The atoms of a sample, in the order in which they lie first, and now, axis by axis."""

    def __init__(self, shape):
        self._start(shape)

    def _start(self, shape):
        self.sizes = dict(enumerate(shape))
        self.first = list(self.sizes)
        self.axes = [[atom] for atom in self.first]

    def follow(self, node):
        """Take one node into account; False if it splits atoms unevenly (then nothing is changed)."""
        if node.op_type == "Transpose":
            batch, *perm = attribute(node, "perm")
            if batch != 0:
                raise StepforwardError(
                    f"{describe(node)} moves the batch to another axis",
                    "keep the batch as the first axis throughout the network",
                )
            self.axes = [self.axes[axis - 1] for axis in perm]
            return True
        shape = dims(node.outputs[0], node)[1:]
        if self._now() == self.first:  # nothing has moved: any shape will do
            self._start(shape)
            return True
        return self._reshape(shape)

    def _now(self):
        return [atom for axis in self.axes for atom in axis]

    def _reshape(self, shape):
        sizes, first, left, axes = dict(self.sizes), list(self.first), self._now(), []
        for size in shape:
            axis = []
            while size > 1:
                atom = left.pop(0)
                if sizes[atom] > size:
                    if sizes[atom] % size:
                        return False
                    inner = len(sizes)
                    sizes[atom], sizes[inner] = size, sizes[atom] // size
                    first.insert(first.index(atom) + 1, inner)
                    left.insert(0, inner)
                if size % sizes[atom]:
                    return False
                size //= sizes[atom]
                axis.append(atom)
            axes.append(axis)
        self.sizes, self.first, self.axes = sizes, first, axes
        return True

    def merged(self):
        """(sizes in the first order, the present order as positions in it), neighbours that stay together joined."""
        first = [atom for atom in self.first if self.sizes[atom] > 1]
        now = [first.index(atom) for atom in self._now() if self.sizes[atom] > 1]
        starts = [position for i, position in enumerate(now) if i == 0 or now[i - 1] != position - 1]
        bounds = [*sorted(starts), len(first)]
        sizes = [math.prod(self.sizes[atom] for atom in first[begin:end]) for begin, end in pairwise(bounds)]
        return sizes, [sorted(starts).index(start) for start in starts]


def _swaps(shape, sizes, order):
    """(shape, permutation) of each step that brings atoms of these sizes into this order."""
    batch, now, steps = shape[0], list(range(len(sizes))), []
    if len(sizes) <= _MOST_AXES:
        # Tensors with three axes are images and stored as such; a fourth axis keeps them in their order.
        if len(sizes) == 3 and shape[1:] != sizes:
            sizes, order = [1, *sizes], [0, *(atom + 1 for atom in order)]
        return [([batch, *sizes], [0, *(atom + 1 for atom in order)])]
    for place, atom in enumerate(order):
        at = now.index(atom)
        if at == place:
            continue
        end = at + 1  # take along what follows it now and shall follow it then
        while end < len(now) and place + end - at < len(order) and now[end] == order[place + end - at]:
            end += 1
        groups = now[:place], now[place:at], now[at:end], now[end:]
        blocks = [math.prod(sizes[one] for one in group) for group in groups]
        steps.append(([batch, *blocks], [0, 1, 3, 2, 4]))
        now = [*groups[0], *groups[2], *groups[1], *groups[3]]
    return steps


def _write(node, source, steps, shape):
    """Put reshapes and transposes in the place of `node`; its output has this shape."""
    value = source
    for number, (split, perm) in enumerate(steps):
        if list(value.shape.dims) != split:
            value = _reshape(node, value, split, f"{node.outputs[0].name}.split{number}")
        made = ir.node("Transpose", [value], {"perm": perm})
        _insert(node, made, [split[axis] for axis in perm])
        value = made.outputs[0]
    if list(value.shape.dims) == shape:
        bypass(node, value)
        return
    if len(shape) == 2:
        replace_node(node, "Flatten", [value], {"axis": 1})
        return
    target = add_initializer(node.graph, f"{node.outputs[0].name}.shape", np.array([0, *shape[1:]], np.int64))
    replace_node(node, "Reshape", [value, target])


def _reshape(node, value, shape, name):
    target = add_initializer(node.graph, name, np.array([0, *shape[1:]], np.int64))
    made = ir.node("Reshape", [value, target])
    _insert(node, made, shape)
    return made.outputs[0]


def _insert(node, made, shape):
    made.outputs[0].shape, made.outputs[0].dtype = ir.Shape(shape), ir.DataType.FLOAT
    node.graph.insert_before(node, made)
