"""The `.sfp` file (docs/file-formats.md, section 1): write it, and read it back with every byte checked."""

import json
import struct
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from stepforward.core.checks import refusal
from stepforward.errors import StepforwardError
from stepforward.files import read_file, write_atomically
from stepforward.operators.conv import Conv
from stepforward.operators.operator import Operator
from stepforward.operators.table import OPERATORS
from stepforward.program.checks import check_metadata, check_program
from stepforward.program.model import DTYPES, Op, Program, Tensor
from stepforward.strict_json import parse_json

MAGIC, VERSION = b"SFP1", 1
HEADER = struct.Struct("<4s22I4x")
TENSOR_WORDS, OP_WORDS = 12, 32
CHANNEL_RULES = ("one", "divide", "modulo")


def _tensor_record(tensor: Tensor) -> list[int]:
    dims = [*tensor.shape, 1, 1, 1, 1][:4]
    return [
        DTYPES.index(tensor.dtype),
        len(tensor.shape),
        *dims,
        tensor.zero_point,
        tensor.offset,
        tensor.bytes,
        tensor.elements,
        CHANNEL_RULES.index(tensor.channel_rule),
        tensor.channel_divisor,
    ]


def _op_record(op: Op, first_pair: int) -> list[int]:
    what = op.what
    return [
        OPERATORS.index(type(what)) + 1,
        len(op.inputs),
        *(list(op.inputs) + [-1] * 8)[:8],
        op.output,
        op.weight,
        op.bias,
        first_pair,
        len(what.rescale),
        what.lo,
        what.hi,
        *_words(what),
        op.work,
    ]


def _words(what: Operator) -> list[int]:
    """Words 17 to 30 of a record: an operator's own attributes, those of others as they are by themselves."""
    a = vars(Conv()) | {"axis": 0, "value": 0, "permutation": ()} | vars(what)
    kernel, axis = a.get("channels", a["kernel"]), a.get("count_padding", a["axis"])
    permutation = sum(axis << (4 * position) for position, axis in enumerate(a["permutation"]))
    windows = [*kernel, *a["stride"], *a["padding"], *a["dilation"]]
    return [*windows, a["groups"], int(axis), a["value"], permutation]


def _attributes(kind: type[Operator], row: list[int], rank: int) -> dict:
    """What an operator says of itself in words 17 to 30; rank: of its output."""
    kernel, axis = tuple(row[17:19]), row[28]
    said: dict[str, Any] = {
        "kernel": kernel,
        "channels": kernel,
        "stride": tuple(row[19:21]),
        "padding": tuple(row[21:25]),
    }
    said |= {"dilation": tuple(row[25:27]), "groups": row[27], "axis": axis, "count_padding": bool(axis)}
    said |= {"value": row[29], "permutation": tuple((row[30] >> (4 * i)) & 15 for i in range(rank))}
    own = {field.name for field in fields(kind)}
    return {name: value for name, value in said.items() if name in own}


def _aligned(content: bytes) -> bytes:
    return content + bytes(-len(content) % 16)


def _metadata(program: Program) -> bytes:
    names = {
        "tensors": [{"name": t.name, "scale": list(t.scale)} for t in program.tensors],
        "ops": [{"name": op.name} for op in program.ops],
    }
    return json.dumps({**program.metadata, **names}, sort_keys=True, separators=(",", ":")).encode()


def to_bytes(program: Program) -> bytes:
    """The program as a `.sfp` file."""
    constants: list[int] = []
    ops = []
    for op in program.ops:
        ops.append(_op_record(op, len(constants)))
        constants += [value for pair in op.what.rescale for value in pair]
    contents = [
        np.array([_tensor_record(t) for t in program.tensors], dtype="<i4").tobytes(),
        np.array(ops, dtype="<i4").tobytes(),
        np.array(constants, dtype="<i4").tobytes(),
        program.weights,
        _metadata(program),
    ]
    sections = [_aligned(content) for content in contents]
    offsets = [HEADER.size + sum(len(s) for s in sections[:i]) for i in range(6)]
    head = [
        *(offsets[0], len(program.tensors), offsets[1], len(program.ops), offsets[2], len(contents[2])),
        *(offsets[3], len(contents[3]), offsets[4], len(contents[4])),
        *(program.input, program.output, program.arena_bytes, program.cut),
        *program.loss_rescale,
        program.parameter_count,
    ]

    def header(check: int) -> bytes:
        checks = (check, zlib.crc32(program.weights), zlib.crc32(contents[4]))
        return HEADER.pack(MAGIC, VERSION, offsets[5], *checks, *head)

    checked = header(0)[16:] + b"".join(sections)[: offsets[3] - HEADER.size]
    return header(zlib.crc32(checked)) + b"".join(sections)


def from_bytes(content: bytes, source: str = "program") -> Program:
    """Read a `.sfp` file. The core checks it first: what it refuses is not looked into.

    Raises:
        StepforwardError: not a program, another version, truncated, changed since it was written, or hostile.
    """
    if len(content) < HEADER.size or content[:4] != MAGIC:
        raise _refused(source, "is not a stepforward program (.sfp)")
    _, version, size, *rest = HEADER.unpack_from(content)
    if version != VERSION:
        raise _refused(source, f"has format version {version}; this release reads version {VERSION}")
    if size > len(content):
        raise _refused(source, f"is truncated: {len(content)} bytes of {size}")
    reason = refusal(content) if size == len(content) else f"{len(content) - size} bytes follow its end"
    if reason is not None:
        raise _refused(source, f"is damaged: {reason}")
    try:
        return _program(content, rest[3:13], rest[13:])
    except ValueError as error:
        raise _refused(source, f"is damaged: {error}") from error


def _refused(source: str, what: str) -> StepforwardError:
    return StepforwardError(f"{source} {what}", "write the program again from its ONNX file")


def _program(content: bytes, sections: list[int], last: list[int]) -> Program:
    """The program of a file that the core accepts; what the core does not look at is checked here."""
    tensors_at, tensor_count, ops_at, op_count, constants_at, constant_bytes = sections[:6]
    weights_at, weight_bytes, metadata_at, metadata_bytes = sections[6:]
    metadata = parse_json(content[metadata_at : metadata_at + metadata_bytes])
    names, op_names = check_metadata(metadata, tensor_count, op_count)
    constants = np.frombuffer(content, "<i4", constant_bytes // 4, constants_at).tolist()
    tensor_rows = np.frombuffer(content, "<i4", tensor_count * TENSOR_WORDS, tensors_at).reshape(
        -1, TENSOR_WORDS
    )
    op_rows = np.frombuffer(content, "<i4", op_count * OP_WORDS, ops_at).reshape(-1, OP_WORDS)
    if 2 * int(op_rows[:, 14].sum(dtype=np.int64)) > len(constants):  # each operator would get a copy
        raise ValueError("operators share their multipliers")
    tensors = tuple(_tensor(row, name) for row, name in zip(tensor_rows.tolist(), names, strict=True))
    program = Program(
        tensors=tensors,
        ops=tuple(
            _op(row, name, constants, tensors) for row, name in zip(op_rows.tolist(), op_names, strict=True)
        ),
        input=last[0],
        output=last[1],
        arena_bytes=last[2],
        cut=last[3],
        loss_rescale=(last[4], last[5]),
        parameter_count=last[6],
        weights=content[weights_at : weights_at + weight_bytes],
        metadata=metadata,
    )
    check_program(program)
    return program


def _tensor(row: list[int], name: dict) -> Tensor:
    if not 0 <= row[10] < len(CHANNEL_RULES) or row[11] < 1:  # the core reads these of parameters alone
        raise ValueError(f"tensor {name['name']!r} has no channel rule")
    return Tensor(
        name=name["name"],
        shape=tuple(row[2 : 2 + row[1]]),
        dtype=DTYPES[row[0]],
        scale=tuple(name["scale"]),
        zero_point=row[6],
        offset=row[7],
        channel_rule=CHANNEL_RULES[row[10]],
        channel_divisor=row[11],
    )


def _op(row: list[int], name: str, constants: list[int], tensors: tuple[Tensor, ...]) -> Op:
    kind = OPERATORS[row[0] - 1]
    pairs = constants[row[13] : row[13] + 2 * row[14]]
    what = kind(
        rescale=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
        lo=row[15],
        hi=row[16],
        **_attributes(kind, row, len(tensors[row[10]].shape)),
    )
    return Op(name, what, tuple(row[2 : 2 + row[1]]), row[10], row[11], row[12], row[31])


def save(program: Program, path: str | Path) -> None:
    """Write `program` to `path` atomically."""
    write_atomically(path, to_bytes(program))


def load(path: str | Path) -> Program:
    """Read a program from `path`."""
    return from_bytes(read_file(path), str(path))
