"""The last layer of a program: whether it is a linear one on its own, and the program with another in its place."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stepforward.program.model import Program
from stepforward.program.weights import pack, unpack

_LIMITS = {"s8": (-128, 127), "s16": (-32768, 32767)}
MOST_WIDER = 8
"""Powers of two by which the scale of a layer may grow."""


def not_linear(program: Program) -> str | None:
    """Why the last operator is no linear layer on its own: its outputs are the logits, each a sum of products with all
    inputs, and it shares its parameters with no other operator. None if it is one."""
    op = program.ops[-1]
    x, y = (program.tensors[index] for index in (op.inputs[0], op.output))
    whole = op.what.parametric and program.tensors[op.weight].elements == x.elements * y.elements
    plain = op.kind == "fully_connected" or (op.kind == "conv" and not any(op.what.padding))  # type: ignore[attr-defined]
    if not (whole and plain and (op.what.lo, op.what.hi) == _LIMITS[y.dtype]):
        return f"the network ends with {op.name} ({op.kind}), which is no linear layer"
    if x.dtype != "s8":
        return f"{op.name} reads {x.dtype[1:]} bits, and its exact gradient 8"
    if any({op.weight, op.bias} & set(other.parameters) for other in program.ops[:-1]):
        return f"{op.name} shares its weights with another layer"
    return None


class Layer(NamedTuple):
    """A linear layer in the place of a program's last one.

    Attributes:
        wider: the power of two by which its scale is larger.
        content: bytes of its tensors as the weights section has them, in the program's order.
    """

    wider: int
    content: bytes

    @property
    def written(self) -> bytes:
        """As a journal has it."""
        return struct.pack("<I", self.wider) + self.content

    @staticmethod
    def read(content: bytes) -> "Layer":
        """From a journal.

        Raises:
            ValueError: it is cut short.
        """
        if len(content) < 4:
            raise ValueError("it is cut short")
        return Layer(struct.unpack_from("<I", content)[0], content[4:])


def layer_of(program: Program, weight: np.ndarray, bias: np.ndarray, wider: int) -> Layer:
    """A last layer of integers, which fit its tensors."""
    op = program.ops[-1]
    values = {op.weight: weight, op.bias: bias}
    parts = [pack(program.tensors[index], values[index]) for index in sorted(values)]
    return Layer(wider, b"".join(parts))


def with_layer(program: Program, layer: Layer) -> Program:
    """The program with another last layer, and its scale `2^wider` times as large.

    Raises:
        ValueError: they do not fit the program.
    """
    op, tensors, section = program.ops[-1], list(program.tensors), bytearray(program.weights)
    parts = sorted(op.parameters)
    if len(layer.content) != sum(tensors[index].bytes for index in parts):
        raise ValueError("another number of weights")
    if not 0 <= layer.wider <= min(MOST_WIDER, *(shift for _, shift in op.what.rescale)):
        raise ValueError(f"its scale cannot grow by 2^{layer.wider}")
    at = 0
    for index in parts:
        tensor = tensors[index]
        section[tensor.offset : tensor.offset + tensor.bytes] = layer.content[at : at + tensor.bytes]
        at += tensor.bytes
        if (np.abs(unpack(tensor, bytes(section))) > tensor.q_max).any():
            raise ValueError(f"a number of {tensor.name} is out of range")
    return wider(replace(program, weights=bytes(section)), [layer.wider] * len(op.what.rescale))


def wider(program: Program, by: Sequence[int]) -> Program:
    """The program with the scales of its last layer `2^by` times as large, each by its own; the integers stay."""
    op, tensors = program.ops[-1], list(program.tensors)
    for index in op.parameters:
        scale = tuple(value * 2**e for value, e in zip(tensors[index].scale, by, strict=True))
        tensors[index] = replace(tensors[index], scale=scale)
    pairs = tuple((mult, shift - e) for (mult, shift), e in zip(op.what.rescale, by, strict=True))
    ops = (*program.ops[:-1], replace(op, what=replace(op.what, rescale=pairs)))
    return replace(program, tensors=tuple(tensors), ops=ops)
