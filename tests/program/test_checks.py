"""Hostile programs with right checksums: each is read or refused in one line, and what is read can be inspected."""

import json
import struct
import zlib

import pytest
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.program import fileformat
from stepforward.verbs.inspect import inspect

PROGRAM = small_program(per_channel=True)
CONTENT = fileformat.to_bytes(PROGRAM)
WEIGHTS, METADATA = struct.unpack_from("<I", CONTENT, 52)[0], struct.unpack_from("<I", CONTENT, 60)[0]
WORDS = (0, 1, 2, 3, 7, 255, 65536, 2**30, 2**31 - 1, 2**31, 2**32 - 1)


def sealed(content):
    """The file with every checksum made right again."""
    content = bytearray(content)
    weights, weight_bytes, metadata, metadata_bytes = struct.unpack_from("<4I", content, 52)
    struct.pack_into("<I", content, 16, zlib.crc32(content[weights : weights + weight_bytes]))
    struct.pack_into("<I", content, 20, zlib.crc32(content[metadata : metadata + metadata_bytes]))
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:weights]))
    return bytes(content)


def with_metadata(text):
    """The program with another metadata section."""
    head = bytearray(CONTENT[:METADATA])
    struct.pack_into("<I", head, 8, METADATA + len(text))
    struct.pack_into("<I", head, 64, len(text))
    return sealed(bytes(head) + text)


def metadata():
    size = struct.unpack_from("<I", CONTENT, 64)[0]
    return json.loads(CONTENT[METADATA : METADATA + size])


def test_every_word_of_a_program_can_be_hostile():
    read, refused = 0, 0
    for place in range(6, WEIGHTS // 4):
        for value in WORDS:
            content = bytearray(CONTENT)
            struct.pack_into("<I", content, 4 * place, value)
            try:
                program = fileformat.from_bytes(sealed(content))
                read += 1
                if program != PROGRAM and read % 20 == 0:
                    inspect(program)
            except StepforwardError as error:
                assert "\n" not in error.what and error.remedy
                refused += 1
    assert refused > read > 0


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path):
    resource = pytest.importorskip("resource")
    content = bytearray(CONTENT)
    struct.pack_into("<I", content, 32, 2**26)  # tensors
    (tmp_path / "p.sfp").write_bytes(sealed(content))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StepforwardError, match="damaged: the program is too large"):
        fileformat.load(tmp_path / "p.sfp")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def changed(**entries):
    return json.dumps({**metadata(), **entries}).encode()


def tensors(**entries):
    records = metadata()["tensors"]
    records[0].update(entries)
    return changed(tensors=records)


@pytest.mark.parametrize(
    "text, why",
    [
        (b"", "Expecting value"),
        (b"[]", "not a JSON object"),
        (b"{}", "do not list its"),
        (b"\xff\xfe", "decode"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (changed(extra=eval("[" * 60 + "]" * 60)), "nested too deeply"),
        (b'{"name": "a", "name": "b"}', "a key is given twice"),
        (changed(bits=16), "bits is not text"),
        (changed(name=None), "name is not text"),
        (changed(class_names="abcd"), "class names are not a list"),
        (changed(class_names=["a", 2]), "class names are not a list"),
        (changed(class_names=["a"]), "1 classes for 4 outputs"),
        (changed(preprocessing=[1]), "preprocessing is not"),
        (changed(ops=[]), "do not list its 7 ops"),
        (changed(ops=[{}] * 7), "do not name all its ops"),
        (changed(tensors={}), "do not list its"),
        (tensors(name=7), "do not name all its tensors"),
        (tensors(name=metadata()["tensors"][1]["name"]), "two parameters have one name"),
        (tensors(scale=[]), "has 0 scales for 6 channels"),
        (tensors(scale=[1.0]), "has 1 scales for 6 channels"),
        (tensors(scale=[0.0] * 6), "not a list of positive numbers"),
        (tensors(scale=[True] * 6), "not a list of positive numbers"),
        (tensors(scale=[10**400] * 6), "not a list of positive numbers"),
        (tensors(scale=[float("nan")] * 6), "NaN is not a number"),
        (tensors(scale="1" * 6), "not a list of positive numbers"),
    ],
)
def test_hostile_metadata_are_refused_by_name(text, why):
    with pytest.raises(StepforwardError, match=why):
        fileformat.from_bytes(with_metadata(text), "p.sfp")


def test_metadata_may_hold_more_than_is_known():
    program = fileformat.from_bytes(with_metadata(changed(more=[1])))
    assert program.metadata["more"] == [1]
    inspect(program)


@pytest.mark.parametrize("name", ["conv.weight", "nothing", 3])
def test_a_table_of_token_ids_is_the_last_parameter_in_the_format_of_the_input(name):
    with pytest.raises(StepforwardError, match="looked up in a table that it does not have"):
        fileformat.from_bytes(with_metadata(json.dumps(metadata() | {"table": name}).encode()))
