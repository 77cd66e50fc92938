"""The `.sfp` file (docs/file-formats.md, section 1): write it, and read it back with every byte checked."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np

from stepforward.errors import StepforwardError
from stepforward.files import write_atomically
from stepforward.program.model import DTYPES, KINDS, Op, Program, Tensor

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
    permutation = sum(axis << (4 * position) for position, axis in enumerate(op.permutation))
    return [
        KINDS.index(op.kind) + 1,
        len(op.inputs),
        *(list(op.inputs) + [-1] * 8)[:8],
        op.output,
        op.weight,
        op.bias,
        first_pair,
        len(op.rescale),
        op.lo,
        op.hi,
        *op.kernel,
        *op.stride,
        *op.padding,
        *op.dilation,
        op.groups,
        op.axis,
        op.value,
        permutation,
        0,
    ]


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
        constants += [value for pair in op.rescale for value in pair]
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
    """Read a `.sfp` file.

    Raises:
        StepforwardError: not a program, another version, truncated, or changed since it was written.
    """

    def refuse(what: str) -> StepforwardError:
        return StepforwardError(f"{source} {what}", "write the program again from its ONNX file")

    if len(content) < HEADER.size or content[:4] != MAGIC:
        raise refuse("is not a stepforward program (.sfp)")
    _, version, size, check, weights_check, metadata_check, *rest = HEADER.unpack_from(content)
    if version != VERSION:
        raise refuse(f"has format version {version}; this release reads version {VERSION}")
    if size != len(content):
        raise refuse(f"is truncated: {len(content)} bytes of {size}")
    sections, fields = rest[:10], rest[10:]
    tensors_at, tensor_count, ops_at, op_count, constants_at, constant_bytes = sections[:6]
    weights_at, weight_bytes, metadata_at, metadata_bytes = sections[6:]
    weights = content[weights_at : weights_at + weight_bytes]
    metadata = content[metadata_at : metadata_at + metadata_bytes]
    checks = (zlib.crc32(content[16:weights_at]), zlib.crc32(weights), zlib.crc32(metadata))
    if checks != (check, weights_check, metadata_check):
        raise refuse("is damaged: a checksum does not match")

    extra = json.loads(metadata)
    names, op_names = extra.pop("tensors"), extra.pop("ops")
    constants = np.frombuffer(content, "<i4", constant_bytes // 4, constants_at).tolist()
    tensor_rows = np.frombuffer(content, "<i4", tensor_count * TENSOR_WORDS, tensors_at).reshape(
        -1, TENSOR_WORDS
    )
    op_rows = np.frombuffer(content, "<i4", op_count * OP_WORDS, ops_at).reshape(-1, OP_WORDS)
    tensors = tuple(_tensor(row, name) for row, name in zip(tensor_rows.tolist(), names, strict=True))
    ops = zip(op_rows.tolist(), op_names, strict=True)
    return Program(
        tensors=tensors,
        ops=tuple(_op(row, name["name"], constants, tensors) for row, name in ops),
        input=fields[0],
        output=fields[1],
        arena_bytes=fields[2],
        cut=fields[3],
        loss_rescale=(fields[4], fields[5]),
        parameter_count=fields[6],
        weights=weights,
        metadata=extra,
    )


def _tensor(row: list[int], name: dict) -> Tensor:
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
    kind = KINDS[row[0] - 1]
    pairs = constants[row[13] : row[13] + 2 * row[14]]
    permutation = ()
    if kind == "transpose":
        rank = len(tensors[row[10]].shape)
        permutation = tuple((row[30] >> (4 * i)) & 15 for i in range(rank))
    return Op(
        kind=kind,
        name=name,
        inputs=tuple(row[2 : 2 + row[1]]),
        output=row[10],
        weight=row[11],
        bias=row[12],
        rescale=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
        lo=row[15],
        hi=row[16],
        kernel=tuple(row[17:19]),
        stride=tuple(row[19:21]),
        padding=tuple(row[21:25]),
        dilation=tuple(row[25:27]),
        groups=row[27],
        axis=row[28],
        value=row[29],
        permutation=permutation,
    )


def save(program: Program, path: str | Path) -> None:
    """Write `program` to `path` atomically."""
    write_atomically(path, to_bytes(program))


def load(path: str | Path) -> Program:
    """Read a program from `path`."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise StepforwardError(f"cannot read {path}: {error.strerror}", "check the path") from error
    return from_bytes(content, str(path))
