import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_program

from stepforward.arithmetic.rounding import FLOAT, ONCE, TWICE
from stepforward.core.checks import refusal
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.operators.concat import Concat
from stepforward.operators.lookup import Lookup
from stepforward.operators.rescale import Rescale
from stepforward.operators.reshape import Reshape
from stepforward.program import fileformat
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

GOLDEN = Path(__file__).parents[1] / "golden"

CONTENT = fileformat.to_bytes(small_program())


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_program_comes_back_whole(dtype, per_channel, tmp_path):
    program = small_program(dtype, per_channel)
    fileformat.save(program, tmp_path / "p.sfp")
    assert fileformat.load(tmp_path / "p.sfp") == program


def test_the_file_is_the_same_every_time():
    assert fileformat.to_bytes(small_program()) == CONTENT
    assert zlib.crc32(CONTENT[-4:]) is not None and CONTENT[:4] == b"SFP2"


@given(st.integers(0, len(CONTENT) - 1))
def test_a_truncated_file_is_refused(length):
    with pytest.raises(StepforwardError):
        fileformat.from_bytes(CONTENT[:length])


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_was_padding(position, flip):
    changed = bytearray(CONTENT)
    changed[position] ^= flip
    try:
        assert fileformat.from_bytes(bytes(changed)) == small_program()
    except StepforwardError as error:
        assert "program" in str(error)


def test_a_later_version_is_named():
    with pytest.raises(StepforwardError, match="version 9"):
        fileformat.from_bytes(CONTENT[:4] + b"\x09\0\0\0" + CONTENT[8:])


def test_a_program_of_version_1_is_refused_with_the_command_that_makes_a_new_one():
    content = (GOLDEN / "program_1.sfp").read_bytes()
    assert refusal(content) == "a format version this code does not know"
    with pytest.raises(StepforwardError, match="format version 1; this release reads version 2") as error:
        fileformat.from_bytes(content, "old.sfp")
    assert "stepforward quantize MODEL.onnx" in error.value.remedy


def sealed(content):
    """The file with the checksum of header and records made right again."""
    weights = struct.unpack_from("<I", content, 52)[0]
    return content[:12] + struct.pack("<I", zlib.crc32(content[16:weights])) + content[16:]


def in_rounding(rounding, pair):
    """The small program with one pair of another rounding in its operators with weights."""
    program = small_program("s8")
    ops = tuple(
        replace(op, what=replace(op.what, rescale=(pair,), rounding=rounding)) if op.parameters else op
        for op in program.ops
    )
    return replace(program, ops=ops)


@pytest.mark.parametrize(
    ("rounding", "pair", "feature"),
    [(TWICE, (1 << 30, 40), 0), (ONCE, (2**31 - 1, 62), 0), (FLOAT, (2**23, 30), 1)],
)
def test_roundings_of_other_runtimes_come_back_and_are_announced(rounding, pair, feature):
    program = in_rounding(rounding, pair)
    content = fileformat.to_bytes(program)
    assert fileformat.from_bytes(content) == program
    assert struct.unpack_from("<I", content, 24) == (1 << feature,)
    assert "operator" in refusal(sealed(content[:24] + bytes(4) + content[28:]))


@pytest.mark.parametrize(
    ("rounding", "pair"),
    [(TWICE, (-1, 40)), (ONCE, (1, 0)), (TWICE, (1, 63)), (FLOAT, (2**22, 30)), (FLOAT, (2**23, 64))],
)
def test_a_pair_outside_its_rounding_is_refused(rounding, pair):
    assert refusal(fileformat.to_bytes(in_rounding(rounding, pair))) == (
        "an operator record does not fit its tensors"
    )


def test_an_operator_that_only_rounds_by_the_contract_is_refused_with_another():
    program = small_program()
    moved = next(i for i, op in enumerate(program.ops) if op.kind == "max_pool")
    ops = list(program.ops)
    ops[moved] = replace(ops[moved], what=replace(ops[moved].what, rounding=TWICE))
    assert "no kernel" in refusal(fileformat.to_bytes(replace(program, ops=tuple(ops))))


@pytest.mark.parametrize(
    ("features", "named"),
    [(0b1100000100, r"feature 8 \(several inputs\)"), (1 << 31, "feature 31, which")],
)
def test_the_lowest_feature_that_is_not_known_is_named(features, named):
    content = sealed(CONTENT[:24] + struct.pack("<I", features) + CONTENT[28:])
    assert refusal(content) == "the file needs a feature or a section that this code does not know"
    with pytest.raises(StepforwardError, match=named):
        fileformat.from_bytes(content)


def test_a_frozen_tensor_stays_frozen():
    program = small_program()
    frozen = replace(program.tensors[0], frozen=True)
    program = replace(program, tensors=(frozen, *program.tensors[1:]))
    assert fileformat.from_bytes(fileformat.to_bytes(program)) == program


@pytest.mark.parametrize("rank", [4, 5, 6])
def test_a_tensor_may_have_six_dimensions(rank):
    shape = (2, 1, 3, 1, 2, 2)[:rank]
    x = Tensor("x", (2 * 3,) if rank == 4 else (24,) if rank == 6 else (12,), "s8", (0.1,), offset=-1)
    y, z = Tensor("y", shape, "s8", (0.1,)), Tensor("z", shape, "s8", (0.1,))
    ops = (Op("a", Reshape(), (0,), 1), Op("b", Rescale(rescale=((32768, 15),)), (1,), 2))
    program = plan_arena(Program((x, y, z), ops, 0, 2, 0, b""))
    content = fileformat.to_bytes(program)
    assert struct.unpack_from("<I", content, 24)[0] == (4 if rank > 4 else 0)
    assert fileformat.from_bytes(content) == program
    batch = np.arange(-12, 3 * x.elements - 12, dtype=np.int8).reshape(3, -1)
    assert np.array_equal(logits_of(CoreEngine(program), batch), batch)
    without = sealed(content[:24] + bytes(4) + content[28:])
    assert refusal(without) == (None if rank == 4 else "a tensor record is not valid")


def looked_up(dtype="s8"):
    """Two look-ups in one table, which the file has once, and one in another."""
    squares = Lookup(tables=tuple(i * i // 129 for i in range(-128, 128)))
    others = Lookup(tables=tuple(range(127, -129, -1)))
    x = Tensor("x", (6,), "s8", (0.1,), offset=-1)
    y, z, out = (Tensor(name, (6,), kind, (0.1,)) for name, kind in (("y", "s8"), ("z", "s8"), ("o", dtype)))
    ops = (Op("a", squares, (0,), 1), Op("b", others, (1,), 2), Op("c", squares, (2,), 3))
    return plan_arena(Program((x, y, z, out), ops, 0, 3, 0, b""))


@pytest.mark.parametrize("dtype", ["s8", "s16"])
def test_a_table_comes_back_and_computes_itself(dtype):
    program = looked_up(dtype)
    content = fileformat.to_bytes(program)
    assert struct.unpack_from("<I", content, 24)[0] == 1 << 6
    assert fileformat.from_bytes(content) == program
    x = np.array([[-128, -1, 0, 1, 5, 127]], np.int8)
    expected = [(127 - (v * v // 129 + 128)) ** 2 // 129 for v in x[0].tolist()]
    assert logits_of(CoreEngine(program), x).tolist() == [expected]


def test_equal_tables_are_in_the_file_once():
    content = fileformat.to_bytes(looked_up())
    ops, count = struct.unpack_from("<II", content, 36)
    first, second, third = (struct.unpack_from("<i", content, ops + 64 * i + 56)[0] for i in range(count))
    assert first == third != second


@pytest.mark.parametrize("where", ["none", "past the end", "without the feature"])
def test_a_table_outside_the_constants_is_refused(where):
    content = bytearray(fileformat.to_bytes(looked_up()))
    ops, constants = (struct.unpack_from("<I", content, at)[0] for at in (36, 48))
    if where == "without the feature":
        content[24] = 0
    else:
        struct.pack_into("<i", content, ops + 56, -1 if where == "none" else constants // 4 - 63)
    assert refusal(sealed(content)) == "an operator record does not fit its tensors"


def test_an_operator_may_have_sixteen_inputs():
    x = Tensor("x", (3,), "s8", (0.1,), offset=-1)

    def program(inputs):
        y = Tensor("y", (3 * inputs,), "s8", (0.1,))
        what = Concat(rescale=((32768, 15),) * inputs)
        return plan_arena(Program((x, y), (Op("join", what, (0,) * inputs, 1),), 0, 1, 0, b""))

    assert fileformat.from_bytes(fileformat.to_bytes(program(16))) == program(16)
    batch = np.arange(6, dtype=np.int8).reshape(2, 3)
    assert np.array_equal(logits_of(CoreEngine(program(16)), batch), np.tile(batch, 16))
    assert refusal(fileformat.to_bytes(program(17))) == "an operator has no kernel for these types"
