"""Journals: settings, records and counts change, the chain of checksums is made again."""

import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

from fuzz.mutate import json_bytes, mutated_bytes, mutated_json, mutated_parts
from stepforward import journal as journals
from stepforward.program import fileformat
from stepforward.run.recorded import recorded_settings, trainable_indices

SUFFIX = ".journal"
GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"


@cache
def _program():
    return fileformat.load(GOLDEN / "s16.sfp")


@cache
def _start() -> tuple[dict, list[bytes]]:
    settings = journals.read(GOLDEN / "journal").settings
    settings |= {"trainable": [tensor.name for tensor in _program().parameters], **journals.written_by()}
    votes = [[(1, -1, 1)] * 30, [(0, 1, -1)] * 20, [(5, -7, 1)] * 9, [(-1, -1, 1)] * 61]
    made = [*map(journals.votes_record, votes), journals.votes_record([(24, -3, 0)] * 20, 5000)]
    records = [bytes([kind, count]) + payload for kind, count, payload in made]
    evaluation = bytes([4, 0]) + struct.pack("<Iq", 3, 70000)
    return settings, [
        evaluation,
        records[0],
        evaluation,
        *records[1:],
        evaluation,
        bytes([8, 0]) + struct.pack("<II", 60, 8) + bytes(range(8)),
        bytes([5, 0]) + struct.pack("<IB", 60, 0),
    ]


def make(rng: Random) -> bytes:
    """A journal with one or two changes."""
    settings, records = _start()
    directions, text = 3, None
    for _ in range(rng.choice((1, 1, 2))):
        kind = rng.randrange(10)
        if kind < 5:
            settings = mutated_json(rng, settings)
        elif kind < 9:
            records = mutated_parts(rng, records, lambda r: mutated_bytes(rng, r), lambda: _record(rng))
        else:
            directions = rng.choice((0, 1, 2, 4, 255, 256, 65535))
    text = json_bytes(rng, settings)
    size, version = len(text), 2
    if rng.random() < 0.02:
        size, version = rng.choice(((2**32 - 1, 2), (max(0, len(text) - 1), 2), (len(text), 1), (0, 2)))
    content = struct.pack("<4sHHI", b"SFJ2", version, directions, size) + text
    check = zlib.crc32(content)
    pieces = [content, struct.pack("<I", check)]
    for record in records:
        check = zlib.crc32(record, check)
        pieces += [record, struct.pack("<I", check)]
    content = b"".join(pieces)
    return mutated_bytes(rng, content) if rng.random() < 0.05 else content


def _record(rng: Random) -> bytes:
    kind = rng.choice((1, 2, 3, 3, 4, 5, 6, 8, 10, rng.randrange(256)))
    if kind == 10:
        votes = rng.choice((0, 2, 3, 60, 2**31))
        most = rng.choice((24, 24, 255))
        return (
            bytes([10, 0])
            + struct.pack("<I", votes)
            + bytes(rng.randint(0, most) for _ in range(min(votes, 99)))
        )
    sizes = {1: 3, 2: 6, 3: 24, 6: 18}
    count = rng.choice((0, 1, 8, 255))
    bits = sizes.get(kind, 0) * count
    return bytes([kind, count]) + rng.randbytes((bits + 7) // 8 if bits else rng.choice((0, 5, 12)))


def read(content: bytes) -> None:
    """What `replay` and `adapt --resume` read of a journal."""
    recorded = journals.parse(content)
    settings = recorded_settings(recorded, "journal")
    trainable_indices(settings, _program(), "journal")
