"""Sounds: chunks of a RIFF file change, its sizes are made right again; other formats lose or change bytes."""

import io
import struct
from functools import cache
from random import Random

import numpy as np
import soundfile

from fuzz.mutate import mutated_bytes, mutated_parts, near, number
from fuzz.place import as_file
from stepforward.data.sounds import read_sound

SUFFIX = ".wav"
_WAVE = 0.5 * np.sin(np.arange(400) * 0.3)


@cache
def _others() -> list[bytes]:
    found = []
    for kind, subtype in (
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("AIFF", "PCM_16"),
        ("CAF", "PCM_16"),
        ("AU", "ULAW"),
        ("RF64", "FLOAT"),
    ):
        file = io.BytesIO()
        soundfile.write(file, _WAVE, 8000, format=kind, subtype=subtype)
        found.append(file.getvalue())
    return found


@cache
def _riffs() -> list[list[tuple[bytes, bytes]]]:
    found = []
    for subtype in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM"):
        file = io.BytesIO()
        soundfile.write(file, np.stack([_WAVE, -_WAVE], axis=1), 8000, format="WAV", subtype=subtype)
        found.append(_chunks(file.getvalue()))
    return found


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 12
    while at + 8 <= len(content):
        size = struct.unpack_from("<I", content, at + 4)[0]
        chunks.append((content[at : at + 4], content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def make(rng: Random) -> bytes:
    """A sound file with a few changes."""
    if rng.random() < 0.25:
        return mutated_bytes(rng, rng.choice(_others()))
    chunks = rng.choice(_riffs())
    for _ in range(rng.choice((1, 1, 2))):
        chunks = mutated_parts(
            rng, chunks, lambda chunk: _changed(rng, chunk), lambda: (b"LIST", rng.randbytes(6))
        )
    pieces = []
    for name, body in chunks:
        size = len(body)
        if rng.random() < 0.05:
            size = rng.choice((0, 1, size + 1, size + 100, 2**32 - 1, number(rng)))
        pieces += [name, struct.pack("<I", size), body, bytes(len(body) % 2)]
    body = b"WAVE" + b"".join(pieces)
    size = len(body) if rng.random() < 0.95 else number(rng)
    content = b"RIFF" + struct.pack("<I", size) + body
    return mutated_bytes(rng, content) if rng.random() < 0.1 else content


def _changed(rng: Random, chunk: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, body = chunk
    if name == b"fmt " and len(body) > 1 and rng.random() < 0.9:
        places = {0: "H", 2: "H", 4: "I", 8: "I", 12: "H", 14: "H", 16: "H", 18: "H"}
        place, form = rng.choice([(p, f) for p, f in places.items() if p + struct.calcsize(f) <= len(body)])
        value = near(rng, struct.unpack_from(f"<{form}", body, place)[0])
        body = bytearray(body)
        struct.pack_into(f"<{form}", body, place, value % (2**16 if form == "H" else 2**32))
        return name, bytes(body)
    if rng.random() < 0.2:
        return rng.choice((b"data", b"fmt ", b"fact", b"LIST", b"\0\0\0\0", b"PEAK")), body
    return name, mutated_bytes(rng, body)


def read(content: bytes) -> None:
    """A waveform of 16 kHz."""
    read_sound(as_file(content, "sound.wav"), 16000, 1024, [])
