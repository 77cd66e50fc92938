"""TensorFlow Lite files: words and bytes change, so that offsets, counts, shapes, scales and options lie."""

import struct
from functools import cache
from random import Random

from fuzz.mutate import mutated_bytes, near
from stepforward.lowering.lower import lower
from stepforward.sources.tflite.file import parse
from stepforward.sources.tflite.read import read_network

SUFFIX = ".tflite"


@cache
def _starts() -> tuple[bytes, ...]:
    from tflite_files import constants, small  # needs the schema

    return tuple(draft.content([first], [last]) for draft, first, last in (small(), constants()))


def make(rng: Random) -> bytes:
    """A file with one to three changes of a word, a half-word or a byte."""
    content = bytearray(rng.choice(_starts()))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind, size = rng.choice((("<I", 4), ("<H", 2), ("<B", 1)))
        place = size * rng.randrange(len(content) // size)
        value = near(rng, struct.unpack_from(kind, content, place)[0])
        struct.pack_into(kind, content, place, value % 256**size)
    return mutated_bytes(rng, bytes(content)) if rng.random() < 0.1 else bytes(content)


def read(content: bytes) -> None:
    """Read a file, and lower what can be read."""
    lower(read_network(parse(content, "m.tflite"), "m.tflite", "tflm").network)
