"""The ONNX graph that a float file becomes, while it is made.

A file has images as (N, H, W, C) and an ONNX graph as (N, C, H, W). So a tensor with four axes is held in either order,
*as the file* or *channels first*, and turned where an operator needs the other: convolutions and pools work channels
first, and what follows them, if it can, in the order in which it finds its operands.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.graph.nodes import unused_name
from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator, Tensor, TfliteFile
from stepforward.sources.tflite.tensors import clip_of

TO_FRONT, TO_BACK = (0, 3, 1, 2), (0, 2, 3, 1)


class Translation:
    """What is known while walking the operators.

    Attributes:
        file: that is translated.
        nodes: in order.
        initializers: by name.
        name: of nodes that are put next: the operator that they come from.
    """

    def __init__(self, file: TfliteFile):
        self.file = file
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {}
        self.name = "output"
        self._constants: dict[int, np.ndarray] = {}
        self._given: dict[int, ir.Value] = {}
        self._held: dict[tuple[int, bool], ir.Value] = {}

    # tensors of the file

    def tensor(self, operator: Operator, place: int) -> Tensor:
        """An input of an operator."""
        return self.file.tensors[self.number(operator, place)]

    def number(self, operator: Operator, place: int) -> int:
        """The number of an input."""
        if not self.has(operator, place):
            raise UnreadableError(f"it has no input {place}")
        return operator.inputs[place]

    def has(self, operator: Operator, place: int) -> bool:
        """Whether it has an input there."""
        return place < len(operator.inputs) and operator.inputs[place] >= 0

    def output(self, operator: Operator, place: int = 0) -> Tensor:
        """An output of an operator."""
        if place >= len(operator.outputs):
            raise UnreadableError(f"it has no output {place}")
        return self.file.tensors[operator.outputs[place]]

    def array(self, operator: Operator, place: int) -> np.ndarray:
        """The values of a constant: floats as float32, integers that have a scale as what they stand for."""
        number = self.number(operator, place)
        found = self._array(number)
        if found is None:
            raise UnreadableError(f"its input {self.file.tensors[number].name} is no constant")
        return found

    def is_constant(self, operator: Operator, place: int) -> bool:
        """Whether an input is known before the network runs."""
        return self._array(self.number(operator, place)) is not None

    def keep(self, operator: Operator, values: np.ndarray) -> None:
        """Let the output of an operator be a constant."""
        self._constants[operator.outputs[0]] = values

    def _array(self, number: int) -> np.ndarray | None:
        if number not in self._constants:
            tensor = self.file.tensors[number]
            values = self.file.constant(tensor)
            if values is None:
                return None
            if values.dtype.kind == "f":
                values = values.astype(np.float32)
            elif tensor.scale:
                values = _real(tensor, values)
            self._constants[number] = values
        return self._constants[number]

    # values of the graph

    def begin(self, number: int) -> ir.Value:
        """A tensor that no node computes: the network's input, or what could not be translated."""
        tensor = self.file.tensors[number]
        dtype = ir.DataType.FLOAT if tensor.type == "FLOAT32" else ir.DataType.INT32
        value = ir.Value(name=tensor.name, shape=ir.Shape(tensor.shape), type=ir.TensorType(dtype))
        self._held[number, False] = value
        return value

    def begin_image(self, number: int) -> None:
        """Let what can work in either order take the input channels first, as if it had been found so."""
        self._given[number] = self._held.pop((number, False))
        self._held[number, True] = self.put("Transpose", [self._given[number]], perm=TO_FRONT)

    def value(self, number: int, first: bool = False) -> ir.Value:
        """A tensor as the file has it, or with its channels first."""
        if (number, first) in self._held:
            return self._held[number, first]
        tensor, array = self.file.tensors[number], self._array(number)
        if array is not None:
            if first and array.size > 1:
                array = array.reshape((1,) * (4 - array.ndim) + array.shape).transpose(TO_FRONT)
            made = self.constant(array.astype(np.float32), tensor.name)
        elif first:
            made = self.value(number)
            if len(tensor.shape) < 4:
                made = self.reshape(made, (1,) * (4 - len(tensor.shape)) + tensor.shape)
            made = self.put("Transpose", [made], perm=TO_FRONT)
        elif number in self._given:
            made = self._given[number]
        elif (number, True) in self._held:
            made = self.put("Transpose", [self._held[number, True]], perm=TO_BACK)
        else:
            raise UnreadableError(f"nothing computes its input {tensor.name}")
        self._held[number, first] = made
        return made

    def read(self, operator: Operator, place: int = 0, first: bool = False) -> ir.Value:
        """An input of an operator."""
        return self.value(self.number(operator, place), first)

    def first(self, operator: Operator) -> bool:
        """Whether an operator that can work in either order finds its operands channels first."""
        return len(self.output(operator).shape) == 4 and self.held_first(operator)

    def held_first(self, operator: Operator) -> bool:
        """Whether one of its operands is held channels first, and in no other order."""
        held = [n for n in operator.inputs if n >= 0 and self._array(n) is None]
        return any((n, True) in self._held and (n, False) not in self._held for n in held)

    def put(self, kind: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Value:
        """The result of a new node."""
        (made,) = self.put_several(kind, inputs, 1, **attributes)
        return made

    def put_several(
        self, kind: str, inputs: Sequence[ir.Value | None], count: int, **attributes: Any
    ) -> Sequence[ir.Value]:
        """The results of a new node."""
        node = ir.node(kind, inputs, attributes, num_outputs=count, name=self.name)
        for value in node.outputs:
            value.name = f"{self.name} {len(self.nodes)}.{value.index()}"
        self.nodes.append(node)
        return node.outputs

    def constant(self, values: np.ndarray, name: str) -> ir.Value:
        """A new initialiser."""
        name = unused_name(name, self.initializers)
        tensor = ir.tensor(np.asarray(values, order="C"), name=name)
        value = ir.Value(
            name=name, const_value=tensor, shape=ir.Shape(values.shape), type=ir.TensorType(tensor.dtype)
        )
        self.initializers[name] = value
        return value

    def integers(self, values: Sequence[int]) -> ir.Value:
        """Sizes, axes or places."""
        return self.constant(np.array(values, np.int64), f"integers{len(self.initializers)}")

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """A value in another shape."""
        return self.put("Reshape", [value, self.integers(shape)])

    def give(self, operator: Operator, value: ir.Value, first: bool = False, place: int = 0) -> None:
        """Let a value be an output of an operator, after its activation."""
        low, high = clip_of(operator)
        if (low, high) == (0.0, None):
            value = self.put("Relu", [value])
        elif low is not None or high is not None:
            value = self.clip(value, low, high)
        self._held[operator.outputs[place], first] = value

    def clip(self, value: ir.Value, low: float | None, high: float | None) -> ir.Value:
        """A value between bounds."""
        bounds = [None if b is None else self.constant(np.array(b, np.float32), "bound") for b in (low, high)]
        return self.put("Clip", [value, *bounds])

    def give_as_filed(self, operator: Operator, value: ir.Value, first: bool = False) -> None:
        """The same, where the file's output has other axes than the value: axes of one number may be gone."""
        if first:
            value = self.put("Transpose", [value], perm=TO_BACK)
        self.give(operator, self.reshape(value, self.output(operator).shape))


def axis_of(axis: int, rank: int, first: bool) -> int:
    """Where an axis of the file lies in a value of some rank."""
    if not -rank <= axis < rank:
        raise UnreadableError(f"it works along axis {axis} of {rank}")
    return TO_FRONT.index(axis % rank) if first else axis % rank


def _real(tensor: Tensor, q: np.ndarray) -> np.ndarray:
    """What integers stand for, float32."""
    shape = [1] * q.ndim
    if len(tensor.scale) > 1:
        if not 0 <= tensor.axis < q.ndim or len(tensor.scale) != q.shape[tensor.axis]:
            raise UnreadableError(f"{tensor.name} has {len(tensor.scale)} scales for shape {q.shape}")
        shape[tensor.axis] = -1
    zero_points = tensor.zero_point or (0,)
    if len(zero_points) not in (1, len(tensor.scale)):
        raise UnreadableError(
            f"{tensor.name} has {len(zero_points)} zero points for {len(tensor.scale)} scales"
        )
    scale = np.array(tensor.scale, np.float32).reshape(shape)
    return ((q - np.array(zero_points).reshape(shape if len(zero_points) > 1 else -1)) * scale).astype(
        np.float32
    )
