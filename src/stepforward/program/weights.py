"""The weights section: packed parameter bytes and the integers in them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stepforward.program.model import Program, Tensor

_NUMPY = {"s8": "<i1", "s16": "<i2", "s32": "<i4"}


def activation_type(tensor: Tensor) -> np.dtype:
    """How NumPy holds an activation, such as the samples that a program reads."""
    return np.dtype(_NUMPY[tensor.dtype])


def pack(tensor: Tensor, q: NDArray[np.integer]) -> bytes:
    """Integers of one parameter, in stored order, as bytes; s4 two per byte, low nibble first."""
    flat = np.asarray(q).reshape(-1)
    if tensor.dtype != "s4":
        return flat.astype(_NUMPY[tensor.dtype]).tobytes()
    nibbles = np.zeros(2 * tensor.bytes, dtype=np.uint8)
    nibbles[: flat.size] = flat.astype(np.int64) & 15
    return (nibbles[::2] | (nibbles[1::2] << 4)).tobytes()


def unpack(tensor: Tensor, section: bytes) -> NDArray[np.int64]:
    """Integers of one parameter, flat in stored order, from the weights section."""
    content = section[tensor.offset : tensor.offset + tensor.bytes]
    if tensor.dtype != "s4":
        return np.frombuffer(content, _NUMPY[tensor.dtype]).astype(np.int64)
    packed = np.frombuffer(content, np.uint8)
    nibbles = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[: tensor.elements].astype(np.int64)
    return np.where(nibbles > 7, nibbles - 16, nibbles)


def unpack_all(program: Program, section: bytes | None = None) -> dict[int, NDArray[np.int64]]:
    """Integers of every parameter in its stored shape, by tensor index."""
    section = program.weights if section is None else section
    return {i: unpack(t, section).reshape(t.shape) for i, t in enumerate(program.parameters)}


def pack_all(program: Program, values: Mapping[int, NDArray[np.integer]]) -> bytes:
    """The weights section of new integers, by tensor index; parameters not named keep theirs."""
    section = bytearray(program.weights)
    for index, q in values.items():
        tensor = program.tensors[index]
        section[tensor.offset : tensor.offset + tensor.bytes] = pack(tensor, q)
    return bytes(section)
