"""The batch in front of everything: where an exporter moves it, or joins it with other axes, axes move around it.

    torch.nn.MultiheadAttention     (N, T, C) -> (T, N, C) -> (T, N * heads, d) -> (N * heads, T, d) -> (T * N, C)
    qkv.permute(2, 0, 3, 1, 4)      (N, T, 3, heads, d) -> (3, N, heads, T, d)
    windows                         (N, H, W, C) -> (N * windows, tokens, C)

A value whose batch lies elsewhere is held with the batch taken out of the axis it is in and put first; what is left of
that axis stays where it is. Operators between such values work along the axes that theirs have become.
"""

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import add_initializer, attribute, constant, describe, dims, give_result, present
from stepforward.sources.onnx.passes.token_layers import put_before, reshaped

_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
_ELEMENTWISE = {*FUNCTIONS, "Add", "Sub", "Mul", "Div", "Dropout", "Max", "Min", "Neg", "Where"}
_ALONG = {"Concat": 1, "LayerNormalization": -1, "Softmax": -1, "Split": 0}
_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceSum")


class _Place(NamedTuple):
    """Where the batch is: `axis` is `before` x batch x `after`. A batch of one may be an axis of its own, after all."""

    axis: int
    before: int
    after: int

    @property
    def rest(self) -> int:
        return self.before * self.after

    def front(self) -> bool:
        return self == (0, 1, 1)

    def at(self, axis: int) -> int:
        """The axis that another axis has become."""
        return axis + 1 if axis < self.axis else axis + (self.rest > 1)

    def held(self, shape: tuple[int, ...]) -> list[int]:
        """The shape in which a value of some shape is held."""
        batch = shape[self.axis] // self.rest if self.axis < len(shape) else 1
        left = [self.rest] if self.rest > 1 else []
        return [batch, *shape[: self.axis], *left, *shape[self.axis + 1 :]]


_FRONT = _Place(0, 1, 1)


class _OtherError(Exception):
    """The node mixes the samples of a batch, or it is not known how it treats them."""


def batch_in_front(graph: ir.Graph, batch: int) -> None:
    """Rewrite what lies between a move of the batch and its return; other nodes stay as they are.

    Args:
        graph: shapes are inferred, axes counted from the front.
        batch: that shapes carry.

    Raises:
        StepforwardError: an operator on such a value that mixes samples.
    """
    moved: dict[ir.Value, tuple[ir.Value, _Place]] = {}
    rewritten: list[ir.Node] = []
    for node in list(graph):
        first = next((value for value in node.inputs if value is not None and constant(value) is None), None)
        if first is None or not (_leaves(node, batch) or any(value in moved for value in node.inputs)):
            continue
        try:
            made = _Rewritten(node, moved, batch).results()
        except _OtherError:
            raise StepforwardError(
                f"{describe(node)} mixes the samples of a batch: it reads a tensor of shape {dims(first, node)}, in "
                f"which the batch ({batch}) was moved or joined with other axes",
                "keep the batch as the first axis: x.flatten(1), or x.reshape(x.shape[0], ...)",
            ) from None
        for result, (value, place) in zip(node.outputs, made, strict=True):
            if batch == 1:
                value, place = _with_another_axis(node, value, dims(result))
            if place.front():
                give_result(result, value)
            else:
                moved[result] = value, place
        rewritten.append(node)
    for node in reversed(rewritten):
        if all(not result.uses() and not result.is_graph_output() for result in node.outputs):
            graph.remove(node, safe=True)


def _with_another_axis(node, value, shape):
    """A batch of one put before all axes: that moves nothing, and every value has it in the same place."""
    place = _FRONT if shape[0] == 1 else _Place(len(shape), 1, 1)
    return reshaped(node, value, place.held(shape)), place


def _leaves(node, batch):
    """Whether a node takes the batch, in front of what it reads, elsewhere."""
    if node.op_type == "Transpose":
        return attribute(node, "perm")[0] != 0
    if node.op_type not in _RESHAPES or not dims(node.outputs[0], node):
        return False
    shape, result = dims(node.inputs[0], node), dims(node.outputs[0], node)
    return shape[0] == batch and result[0] != batch and math.prod(shape) == math.prod(result)


class _Rewritten:
    """What one node becomes."""

    def __init__(self, node, moved, batch):
        self.node, self.moved, self.batch = node, moved, batch

    def results(self) -> list[tuple[ir.Value, _Place]]:
        """For every output the value that holds it, and where its batch is."""
        kind = self.node.op_type
        if kind == "Identity":
            return [self.read(0)]
        if kind == "Transpose":
            return [self.transpose()]
        if kind in _RESHAPES:
            return [self.reshape()]
        if kind == "Gemm":
            return [self.gemm()]
        if kind == "MatMul":
            return [self.matmul()]
        if kind == "Gather":
            return [self.gather(attribute(self.node, "axis"), self.node.inputs[1])]
        if kind == "GatherND":
            return [self.gather_nd()]
        if kind == "Slice":
            return [self.slice()]
        if kind in _REDUCTIONS:
            return [self.reduce()]
        if kind in _ALONG:
            return self.along(_ALONG[kind])
        if kind in _ELEMENTWISE:
            return [self.elementwise()]
        raise _OtherError

    def read(self, index: int) -> tuple[ir.Value, _Place]:
        value = present(self.node.inputs[index])
        if value in self.moved:
            return self.moved[value]
        if constant(value) is not None or not dims(value) or dims(value)[0] != self.batch:
            raise _OtherError
        return value, _FRONT

    def shape(self, index: int = 0) -> tuple[int, ...]:
        return dims(self.node.inputs[index], self.node)

    def put(self, kind: str, inputs: list, attributes: dict, shape: list[int]) -> ir.Value:
        made = ir.node(kind, inputs, attributes, name=self.node.name)
        return put_before(self.node, made, shape)

    def number(self, name: str, array) -> ir.Value:
        return add_initializer(
            present(self.node.graph), f"{self.node.outputs[0].name}.{name}", np.array(array, np.int64)
        )

    def transpose(self):
        value, place = self.read(0)
        perm = attribute(self.node, "perm")
        result = place._replace(axis=perm.index(place.axis)) if place.axis in perm else place
        order = [place.at(axis) for axis in perm if axis != place.axis or place.rest > 1]
        if order == sorted(order):
            return value, result
        shape = result.held(dims(self.node.outputs[0]))
        return self.put("Transpose", [value], {"perm": [0, *order]}, shape), result

    def reshape(self):
        value, place = self.read(0)
        shape, target = self.shape(), dims(self.node.outputs[0], self.node)
        place = _found(math.prod(shape[: place.axis]) * place.before, target, self.batch)
        held = place.held(target)
        if list(present(value.shape).dims) == held:
            return value, place
        return self.put("Reshape", [value, self.number("shape", held)], {}, held), place

    def gemm(self):
        value, place = self.read(0)
        a = {name: attribute(self.node, name, usual) for name, usual in _GEMM.items()}
        weight, *bias = self.node.inputs[1:]
        array = constant(weight)
        if array is None or a != {**_GEMM, "transB": a["transB"]} or place.axis == 1:
            raise _OtherError
        if a["transB"]:
            name = present(weight.name)
            if len(weight.uses()) == 1 and not weight.is_graph_output():
                self.node.replace_input_with(1, None)
                del present(self.node.graph).initializers[name]
            weight = add_initializer(present(self.node.graph), name, np.ascontiguousarray(array.T))
        shape = place.held(dims(self.node.outputs[0]))
        made = self.put("MatMul", [value, weight], {}, shape)
        if bias and bias[0] is not None:
            made = self.put("Add", [made, bias[0]], {}, shape)
        return made, place

    def matmul(self):
        if constant(self.node.inputs[1]) is not None:
            value, place = self.read(0)
            if len(present(constant(self.node.inputs[1])).shape) != 2 or place.axis == len(self.shape()) - 1:
                raise _OtherError
            operands = [value, self.node.inputs[1]]
        else:
            (a, place), (b, other) = self.read(0), self.read(1)
            ranks = len(self.shape(0)), len(self.shape(1))
            if place != other or ranks[0] != ranks[1] or place.axis in (ranks[0] - 2, ranks[0] - 1):
                raise _OtherError
            operands = [a, b]
        return self.put("MatMul", operands, {}, place.held(dims(self.node.outputs[0]))), place

    def gather(self, axis, where):
        value, place = self.read(0)
        count = len(dims(where, self.node))
        if axis == place.axis:
            raise _OtherError
        after = place._replace(axis=place.axis + (count - 1 if axis < place.axis else 0))
        shape = after.held(dims(self.node.outputs[0]))
        return self.put("Gather", [value, where], {"axis": place.at(axis)}, shape), after

    def gather_nd(self):
        """A selection along the first axis, which is not the batch here."""
        where = constant(self.node.inputs[1])
        if where is None or where.ndim != 2 or where.shape[1] != 1 or attribute(self.node, "batch_dims", 0):
            raise _OtherError
        return self.gather(0, self.number("positions", where[:, 0]))

    def slice(self):
        value, place = self.read(0)
        arrays = [array for array in map(constant, self.node.inputs[1:]) if array is not None]
        if len(arrays) != len(self.node.inputs) - 1:
            raise _OtherError
        axes = (arrays[2] if len(arrays) > 2 else np.arange(arrays[0].size)).tolist()
        if place.axis in axes:
            raise _OtherError
        there = self.number("axes", [place.at(axis) for axis in axes])
        inputs = [value, *self.node.inputs[1:3], there, *self.node.inputs[4:5]]
        return self.put("Slice", inputs, {}, place.held(dims(self.node.outputs[0]))), place

    def reduce(self):
        value, place = self.read(0)
        given = constant(self.node.inputs[1]) if len(self.node.inputs) > 1 else None
        axes = attribute(self.node, "axes") if given is None else given.reshape(-1).tolist()
        if not axes or place.axis in axes:
            raise _OtherError
        kept, moved = attribute(self.node, "keepdims", 1), [place.at(axis) for axis in axes]
        after = place if kept else place._replace(axis=place.axis - sum(axis < place.axis for axis in axes))
        attributes = {"keepdims": kept} | ({"axes": moved} if given is None else {})
        inputs = [value] if given is None else [value, self.number("axes", moved)]
        shape = after.held(dims(self.node.outputs[0]))
        return self.put(self.node.op_type, inputs, attributes, shape), after

    def along(self, usual: int):
        """Operators along one axis; all tensors they read are alike."""
        computed = 1 if self.node.op_type != "Concat" else len(self.node.inputs)
        read = [self.read(index) for index in range(computed)]
        place, rank = read[0][1], len(self.shape())
        axis = attribute(self.node, "axis", usual) % rank
        if axis == place.axis or any(other != place for _, other in read):
            raise _OtherError
        inputs = [*(value for value, _ in read), *self.node.inputs[computed:]]
        attributes = dict(self.node.attributes) | {"axis": ir.AttrInt64("axis", place.at(axis))}
        count = len(self.node.outputs)
        made = ir.node(self.node.op_type, inputs, num_outputs=count, name=self.node.name)
        made.attributes.update(attributes)
        for result, old in zip(made.outputs, self.node.outputs, strict=True):
            result.shape, result.dtype = ir.Shape(place.held(dims(old))), old.dtype
        present(self.node.graph).insert_before(self.node, made)
        return [(result, place) for result in made.outputs]

    def elementwise(self):
        """One value at a time; constants keep to the axes they had."""
        shape = dims(self.node.outputs[0], self.node)
        places = [
            self.read(index)[1]
            for index, value in enumerate(self.node.inputs)
            if value is not None and constant(value) is None
        ]
        place = places[0]
        inputs: list[ir.Value | None] = []
        for index, value in enumerate(self.node.inputs):
            array = constant(value)
            if value is None:
                inputs.append(None)
            elif array is None:
                if self.read(index)[1] != place or len(self.shape(index)) != len(shape):
                    raise _OtherError
                inputs.append(self.read(index)[0])
            else:
                inputs.append(self._aligned(value, array, place, len(shape)))
        made = ir.node(self.node.op_type, inputs, name=self.node.name)
        made.attributes.update(self.node.attributes)
        return put_before(self.node, made, place.held(shape)), place

    def _aligned(self, value, array, place, rank):
        """A constant with its axes where those of the tensor are."""
        at = place.axis - (rank - array.ndim)  # of the batch, in the constant
        if not 0 <= at < array.ndim:
            return value
        if array.shape[at] != 1:
            raise _OtherError
        sizes = [size for axis, size in enumerate(array.shape) if axis != at or place.rest > 1]
        name = f"{value.name}.aligned"
        return add_initializer(present(self.node.graph), name, np.ascontiguousarray(array.reshape(sizes)))


_GEMM = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}


def _found(outer, target, batch):
    """The place of a batch that `outer` numbers lie before, in a shape."""
    for axis, size in enumerate(target):
        lead = math.prod(target[:axis])
        if outer % lead == 0 and size % (outer // lead * batch) == 0:
            before = outer // lead
            return _Place(axis, before, size // (before * batch))
    raise _OtherError
