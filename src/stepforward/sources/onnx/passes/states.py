"""What reads the states of a recurrent layer whose batch is not the first axis: computed from states whose batch is.

    Y (T, directions, N, H) -> transposed, reshaped, one direction or step taken, directions joined -> (N, ...)

Each axis of a value is followed by the *atoms* that it counts: N, T, D and H, or none where its size is 1.
"""

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.functions import scalar
from stepforward.graph.nodes import add_initializer, attribute, constant, describe, dims, give_result, present
from stepforward.graph.recurrent import GATES
from stepforward.sources.onnx.passes.selections import slice_operands
from stepforward.sources.onnx.passes.token_layers import bounds, put_before, put_node, reshaped

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_REDUCES = ("ReduceMean", "ReduceMax", "ReduceSum")


class States(NamedTuple):
    """A value with the batch first.

    Attributes:
        value: the states.
        atoms: that its elements are counted by.
        sizes: of the atoms.
        directions: the states of each direction alone, where there are several and `value` has all of their steps.
    """

    value: ir.Value
    atoms: str
    sizes: dict[str, int]
    directions: tuple[ir.Value, ...] = ()


class _Known(NamedTuple):
    """The atoms of each axis of a value, and the states that it is computed from."""

    axes: list[str]
    states: States


class Readers:
    """All values of a graph that are computed from states and have time first.

    Attributes:
        batch_first: by such a value, the same with the batch first, where it is nothing but steps of numbers.
    """

    def __init__(self) -> None:
        self.batch_first: dict[ir.Value, ir.Value] = {}
        self._known: dict[ir.Value, _Known] = {}
        self._waiting: dict[ir.Node, ir.Value] = {}  # nodes that join, and an input that is known

    def follow(self, value: ir.Value, axes: list[str], states: States) -> None:
        """Compute all that reads `value` from the states, up to where the batch is the first axis.

        Args:
            value: of the graph.
            axes: the atoms of each of its axes.
            states: the same numbers.

        Raises:
            StepforwardError: they are used with time first.
        """
        self._known[value] = _Known(axes, states)
        if axes[0] == "N":
            give_result(value, _laid_out(value, "".join(axes), states))
            return
        if value.is_graph_output():
            raise _time_first(present(value.producer()), value)
        if axes in (["T", "N", "H"], ["T", "N", "DH"]):
            self.batch_first[value] = states.value
        for use in list(value.uses()):
            node = use.node
            if node.outputs[0] in self._known:
                continue
            if node.op_type in GATES and use.idx == 0 and value in self.batch_first:
                continue  # it looks there
            if node.op_type == "Concat" and not all(one in self._known for one in node.inputs):
                self._waiting[node] = value
                continue
            self._waiting.pop(node, None)
            following, found = self._after(node, axes, states)
            if following is None:
                raise _time_first(node, value)
            self.follow(node.outputs[0], following, found)

    def end(self) -> None:
        """After all layers.

        Raises:
            StepforwardError: states are joined with what are none, with time first.
        """
        if self._waiting:
            raise _time_first(*next(iter(self._waiting.items())))

    def _after(self, node, axes, states):
        """The atoms of each axis of what a node gives, and the states that it gives; None for one that is not
        followed."""
        if node.op_type == "Transpose":
            return [axes[axis] for axis in attribute(node, "perm")], states
        if node.op_type in RESHAPES:
            return _regrouped(axes, states.sizes, dims(node.outputs[0], node)), states
        if node.op_type == "Concat":
            return _joined(node, [self._known[value] for value in node.inputs])
        if node.op_type == "Slice":
            return _sliced(node, axes, states)
        single = node.op_type == "Gather" and scalar(node.inputs[1])
        if single and axes[attribute(node, "axis", 0)] == "T":
            step = int(present(constant(node.inputs[1]))) % states.sizes["T"]
            return [axis for axis in axes if axis != "T"], _one_step(node, states, step)
        if node.op_type in _REDUCES and _over_time(node, axes):
            return [axis for axis in axes if axis != "T"], _reduced(node, states)
        return None, states


def _laid_out(value, wanted, states):
    """The states in an order of atoms, as a value has them."""
    node, found = present(value.producer()), states.value
    if wanted != states.atoms:
        found = reshaped(node, found, [states.sizes[atom] for atom in states.atoms])
        turned = ir.node("Transpose", [found], {"perm": [states.atoms.index(atom) for atom in wanted]})
        found = put_before(node, turned, [states.sizes[atom] for atom in wanted])
    return reshaped(node, found, list(dims(value, node)))


def _regrouped(axes, sizes, shape):
    """The atoms of each axis of another shape, or None where an axis would end inside an atom."""
    left, found = [*"".join(axes)], []
    for size in shape:
        mine = left.pop(0) if size == 1 and left and sizes[left[0]] == 1 else ""
        while left and math.prod(sizes[atom] for atom in mine) < size:
            mine += left.pop(0)
        if math.prod(sizes[atom] for atom in mine) != size:
            return None
        found.append(mine)
    return None if left else found


def _joined(node, parts):
    """States side by side: numbers of the same steps."""
    axes, states = parts[0]
    alike = all(part.axes == axes and part.states.atoms == states.atoms for part in parts)
    if not alike or axes[attribute(node, "axis")] != "H" or states.atoms[-1] != "H":
        return None, states
    sizes = states.sizes | {"H": sum(part.states.sizes["H"] for part in parts)}
    last = len(dims(states.value)) - 1
    made = ir.node("Concat", [part.states.value for part in parts], {"axis": last}, name=node.name)
    value = put_before(node, made, [sizes[atom] for atom in states.atoms])
    return axes, States(value, states.atoms, sizes)


def _sliced(node, axes, states):
    """One direction, one step, or steps that follow each other."""
    operands = slice_operands(node)
    if operands is None or any(array.size != 1 for array in operands):
        return None, states
    start, end, axis, step = (int(array.reshape(-1)[0]) for array in operands)
    if step != 1:
        return None, states
    atom = axes[axis]
    begin, end, _ = slice(start, end).indices(states.sizes.get(atom, 0))
    without = [*axes[:axis], "", *axes[axis + 1 :]]
    if atom == "D" and end - begin == 1 and states.directions:
        return without, States(states.directions[begin], states.atoms.replace("D", ""), states.sizes)
    if atom == "T" and end - begin == 1:
        return without, _one_step(node, states, begin)
    if atom == "T" and end > begin and states.atoms.startswith("NT"):
        return axes, _some_steps(node, states, begin, end)
    return None, states


def _over_time(node, axes):
    over = attribute(node, "axes")
    if over is None:
        over = constant((*node.inputs, None)[1])
    return (
        over is not None
        and [axes[int(axis)] for axis in over] == ["T"]
        and not attribute(node, "keepdims", 1)
    )


def _one_step(node, states, step):
    return _without_time(node, states, "Gather", np.array(step, np.int64), {"axis": 1})


def _reduced(node, states):
    """What a reduction makes of all steps."""
    return _without_time(node, states, node.op_type, np.array([1], np.int64), {"keepdims": 0})


def _without_time(node, states, kind, array, own):
    second = add_initializer(node.graph, f"{node.outputs[0].name}.steps", array)
    made = ir.node(kind, [states.value, second], own, name=node.name)
    batch, _, width = dims(states.value)
    return States(put_before(node, made, [batch, width]), states.atoms.replace("T", ""), states.sizes)


def _some_steps(node, states, begin, end):
    batch, _, width = dims(states.value)
    steps = end - begin
    value = put_node(node, "Slice", [states.value, *bounds(node, 1, begin, end)], [batch, steps, width])
    return States(value, states.atoms, states.sizes | {"T": steps})


def _time_first(node, value):
    return StepforwardError(
        f"{describe(node)} reads the states {value.name!r} with time as the first axis",
        "bring the batch to the front right after the recurrent layer: batch_first=True",
    )
