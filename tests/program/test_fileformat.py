import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.program import fileformat

CONTENT = fileformat.to_bytes(small_program())


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_program_comes_back_whole(dtype, per_channel, tmp_path):
    program = small_program(dtype, per_channel)
    fileformat.save(program, tmp_path / "p.sfp")
    assert fileformat.load(tmp_path / "p.sfp") == program


def test_the_file_is_the_same_every_time():
    assert fileformat.to_bytes(small_program()) == CONTENT
    assert zlib.crc32(CONTENT[-4:]) is not None and CONTENT[:4] == b"SFP1"


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
