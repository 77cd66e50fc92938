"""The `.sfp` file (docs/file-formats.md, section 1): write it, and read it back with every byte checked."""

import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stepforward.arithmetic.rounding import FLOAT, INSIDE, INSIDE_BYTES, ONCE, TWICE
from stepforward.core.checks import refusal
from stepforward.errors import StepforwardError
from stepforward.files import read_file, write_atomically
from stepforward.operators.recurrent import Recurrent
from stepforward.operators.table import OPERATORS
from stepforward.program.checks import check_metadata, check_program
from stepforward.program.model import DTYPES, Op, Program, Tensor
from stepforward.strict_json import parse_json

MAGIC, VERSION = b"SFP2", 2
HEADER = struct.Struct("<4s24I28x")
TENSOR_WORDS, OP_WORDS, MAX_RANK = 16, 16, 6
CHANNEL_RULES = ("one", "divide", "modulo")
FROZEN = 4
ROUNDING = 15
"""Of an operator's second word: its rounding."""
FEATURES = (
    *("rounding of integer runtimes", "rounding in float32", "five or six dimensions"),
    *(
        "sums and products of 16-bit activations",
        "products of activations",
        "softmax and layer norm",
        "tables",
    ),
    *("recurrent operators", "several inputs", "several outputs", "state", "gathering by data"),
)
"""What a program may need of its reader, by bit."""

INTEGER_ROUNDING, FLOAT_ROUNDING, DIMENSIONS, WIDE_INPUTS, PRODUCTS, ROWS, TABLES, RECURRENT = range(8)
"""The bits of the features that this release has."""
KNOWN = (1 << 8) - 1

ENTRIES = {"s8": "<i1", "s16": "<i2"}
"""The type of a table's entries in the file, by the output's."""


class _Constants(list[int]):
    """The constants; what has a variable length is a range of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[tuple[int, ...], int] = {}

    def range(self, values: Iterable[int]) -> tuple[int, int]:
        """Append integers; where the first lies, and how many there are."""
        first = len(self)
        self.extend(values)
        return first, len(self) - first

    def table(self, entries: tuple[int, ...], dtype: str) -> int:
        """Append a table, or find one of the same words; where it begins, -1 if there are no entries."""
        words = tuple(np.array(entries, ENTRIES[dtype]).view("<i4").tolist())
        if not words:
            return -1
        if words not in self.tables:
            self.tables[words], _ = self.range(words)
        return self.tables[words]


def _tensor_record(tensor: Tensor) -> list[int]:
    return [
        *(DTYPES.index(tensor.dtype), len(tensor.shape)),
        *(*tensor.shape, *[1] * MAX_RANK)[:MAX_RANK],
        *(tensor.zero_point, tensor.offset, tensor.bytes, tensor.elements),
        *(CHANNEL_RULES.index(tensor.channel_rule), tensor.channel_divisor),
        *(FROZEN if tensor.frozen else 0, -1),
    ]


def _op_record(op: Op, constants: _Constants, out: Tensor) -> list[int]:
    what = op.what
    inputs, outputs = constants.range(op.inputs), constants.range([op.output])
    first_pair, _ = constants.range(value for pair in what.rescale for value in pair)
    return [
        *(OPERATORS.index(type(what)) + 1, what.rounding, *inputs, *outputs, op.weight, op.bias),
        *(first_pair, len(what.rescale), what.lo, what.hi),
        *(*constants.range(what.attributes()), constants.table(what.tables, out.dtype), op.work),
    ]


def _features(program: Program) -> int:
    roundings = {op.what.rounding for op in program.ops}
    needed = {
        INTEGER_ROUNDING: roundings & {TWICE, ONCE},
        FLOAT_ROUNDING: roundings & {FLOAT, INSIDE, INSIDE_BYTES},
        DIMENSIONS: any(len(t.shape) > 4 for t in program.tensors),
        WIDE_INPUTS: any(
            op.kind in ("add", "matmul", "conv", "fully_connected")
            and any(program.tensors[i].dtype == "s16" for i in op.inputs)
            for op in program.ops
        ),
        PRODUCTS: any(op.kind == "matmul" for op in program.ops),
        ROWS: any(op.kind in ("softmax", "layer_norm") for op in program.ops),
        TABLES: any(op.what.tables for op in program.ops),
        RECURRENT: any(isinstance(op.what, Recurrent) for op in program.ops),
    }
    return sum(1 << bit for bit, given in needed.items() if given)


def _aligned(content: bytes) -> bytes:
    return content + bytes(-len(content) % 16)


def _metadata(program: Program) -> bytes:
    names = {
        "tensors": [{"name": t.name, "scale": list(t.scale)} for t in program.tensors],
        "ops": [{"name": op.name} for op in program.ops],
    }
    return json.dumps({**program.metadata, **names}, sort_keys=True, separators=(",", ":")).encode()


def to_bytes(program: Program, metadata: bool = True) -> bytes:
    """The program as a `.sfp` file; without its metadata for an engine, which does not read them."""
    constants = _Constants()
    ends = (*constants.range([program.input]), *constants.range([program.output]))
    ops = [_op_record(op, constants, program.tensors[op.output]) for op in program.ops]
    contents = [
        np.array([_tensor_record(t) for t in program.tensors], dtype="<i4").tobytes(),
        np.array(ops, dtype="<i4").tobytes(),
        np.array(constants, dtype="<i4").tobytes(),
        program.weights,
        _metadata(program) if metadata else b"",
    ]
    sections = [_aligned(content) for content in contents]
    offsets = [HEADER.size + sum(len(s) for s in sections[:i]) for i in range(6)]
    head = [
        *(
            _features(program),
            offsets[0],
            len(program.tensors),
            offsets[1],
            len(program.ops),
            offsets[2],
            len(contents[2]),
        ),
        *(offsets[3], len(contents[3]), offsets[4], len(contents[4])),
        *(*ends, program.parameter_count, program.arena_bytes, program.cut, 0),
    ]

    def header(check: int) -> bytes:
        checks = (check, zlib.crc32(program.weights), zlib.crc32(contents[4]))
        return HEADER.pack(MAGIC, VERSION, offsets[5], *checks, *head)

    checked = header(0)[16:] + b"".join(sections)[: offsets[3] - HEADER.size]
    return header(zlib.crc32(checked)) + b"".join(sections)


def from_bytes(content: bytes, source: str = "program") -> Program:
    """Read a `.sfp` file. The core checks it first: what it refuses is not looked into.

    Raises:
        StepforwardError: not a program, another version, truncated, changed since it was written, hostile, or in need
            of what this release does not have.
    """
    if len(content) < HEADER.size or content[:3] != MAGIC[:3]:
        raise _refused(source, "is not a stepforward program (.sfp)")
    magic, version, size, *rest = HEADER.unpack_from(content)
    if (magic, version) != (MAGIC, VERSION):
        raise _refused(source, f"has format version {version}; this release reads version {VERSION}")
    if size > len(content):
        raise _refused(source, f"is truncated: {len(content)} bytes of {size}")
    unknown = rest[3] & ~KNOWN
    if unknown:
        bit = (unknown & -unknown).bit_length() - 1
        named = f" ({FEATURES[bit]})" if bit < len(FEATURES) else ""
        raise _refused(source, f"needs feature {bit}{named}, which this release does not have")
    reason = refusal(content) if size == len(content) else f"{len(content) - size} bytes follow its end"
    if reason is not None:
        raise _refused(source, f"is damaged: {reason}")
    try:
        return _program(content, rest[4:14], rest[14:])
    except ValueError as error:
        raise _refused(source, f"is damaged: {error}") from error


def _refused(source: str, what: str) -> StepforwardError:
    return StepforwardError(
        f"{source} {what}",
        "write the program again from its model: stepforward quantize MODEL.onnx --data SAMPLES --program NEW.sfp",
    )


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
    tensors = tuple(_tensor(row, name) for row, name in zip(tensor_rows.tolist(), names, strict=True))
    program = Program(
        tensors=tensors,
        ops=tuple(
            _op(row, name, constants, tensors) for row, name in zip(op_rows.tolist(), op_names, strict=True)
        ),
        input=constants[last[0]],
        output=constants[last[2]],
        parameter_count=last[4],
        arena_bytes=last[5],
        cut=last[6],
        weights=content[weights_at : weights_at + weight_bytes],
        metadata=metadata,
    )
    check_program(program)
    return program


def _tensor(row: list[int], name: dict) -> Tensor:
    if not 0 <= row[12] < len(CHANNEL_RULES) or row[13] < 1:  # the core reads these of parameters alone
        raise ValueError(f"tensor {name['name']!r} has no channel rule")
    return Tensor(
        name=name["name"],
        shape=tuple(row[2 : 2 + row[1]]),
        dtype=DTYPES[row[0]],
        scale=tuple(name["scale"]),
        zero_point=row[8],
        offset=row[9],
        channel_rule=CHANNEL_RULES[row[12]],
        channel_divisor=row[13],
        frozen=row[14] == FROZEN,
    )


def _op(row: list[int], name: str, constants: list[int], tensors: tuple[Tensor, ...]) -> Op:
    def taken(first: int, count: int) -> tuple[int, ...]:
        return tuple(constants[first : first + count])

    pairs = taken(row[8], 2 * row[9])
    kind, output = OPERATORS[row[0] - 1], constants[row[4]]
    entry = np.dtype(ENTRIES[tensors[output].dtype])
    words = np.array(taken(row[14], kind.table_entries * entry.itemsize // 4), "<i4")
    what = kind.from_attributes(
        taken(row[12], row[13]),
        rescale=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
        lo=row[10],
        hi=row[11],
        rounding=row[1] & ROUNDING,
        tables=tuple(words.view(entry).tolist()),
    )
    return Op(name, what, taken(row[2], row[3]), output, row[6], row[7], row[15])


def save(program: Program, path: str | Path) -> None:
    """Write `program` to `path` atomically."""
    write_atomically(path, to_bytes(program))


def load(path: str | Path) -> Program:
    """Read a program from `path`."""
    return from_bytes(read_file(path), str(path))
