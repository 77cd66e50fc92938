"""TensorFlow Lite files: words and bytes change, so that offsets, counts, shapes, scales and options lie."""

import struct
from functools import cache
from random import Random

from fuzz.mutate import mutated_bytes, near
from stepforward.lowering.lower import lower
from stepforward.sources.onnx.source import FloatSource
from stepforward.sources.tflite.file import parse
from stepforward.sources.tflite.read import read_network
from stepforward.sources.tflite.to_onnx.model import is_float, to_onnx

SUFFIX = ".tflite"


@cache
def _starts() -> tuple[bytes, ...]:
    from tflite_files import constants, floats, small  # needs the schema

    drafts = tuple(draft.content([first], [last]) for draft, first, last in (small(), constants()))
    return (*drafts, floats().done())


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
    file = parse(content, "m.tflite")
    if is_float(file):
        FloatSource.of(to_onnx(file, "m.tflite"), "m.tflite")
    else:
        lower(read_network(file, "m.tflite", "tflm").network)
