"""The biases of a program as a journal has them, and the program with others in their place."""

import struct
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepforward.program.model import Program
from stepforward.program.weights import pack_all, unpack

MOST = 2**30
"""The largest that a bias is made, so that the sum that it begins has room."""

_NUMBER = struct.Struct("<I")


def written(program: Program, tensors: Collection[int]) -> bytes:
    """Each tensor's number, then its integers."""
    return b"".join(
        _NUMBER.pack(index) + unpack(program.tensors[index], program.weights).astype("<i4").tobytes()
        for index in sorted(tensors)
    )


def with_biases(program: Program, content: bytes) -> Program:
    """The program with biases that were written.

    Raises:
        ValueError: they do not fit the program.
    """
    values: dict[int, NDArray[np.integer]] = {}
    at = 0
    while at < len(content):
        if len(content) < at + _NUMBER.size:
            raise ValueError("they are cut short")
        (index,) = _NUMBER.unpack_from(content, at)
        at += _NUMBER.size
        if index in values or index >= program.parameter_count or program.tensors[index].dtype != "s32":
            raise ValueError(f"tensor {index} is no bias, or comes twice")
        tensor = program.tensors[index]
        if len(content) < at + tensor.bytes:
            raise ValueError("they are cut short")
        values[index] = np.frombuffer(content, "<i4", tensor.elements, at).astype(np.int64)
        if (np.abs(values[index]) > tensor.q_max).any():
            raise ValueError(f"a number of {tensor.name} is out of range")
        at += tensor.bytes
    return replace(program, weights=pack_all(program, values))
