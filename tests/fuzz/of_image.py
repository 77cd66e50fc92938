"""Images: chunks of PNG, with checksums made right again; segments and EXIF entries of JPEG; bytes of other formats."""

import io
import struct
import zlib
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from fuzz.mutate import mutated_bytes, mutated_parts, near, number
from fuzz.place import as_file
from stepforward.data import preprocessing as prep
from stepforward.data.images import read_image

SUFFIX = ".png"
_SETTINGS = {"kind": "image", "height": 8, "width": 8, "channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
_PIXELS = (np.arange(12 * 10 * 3) * 7 % 256).astype(np.uint8).reshape(12, 10, 3)
_EXIF_TAGS = (0x0112, 0x8769, 0x8825, 0x010F, 0x011A, 0x0128, 0x9286, 0xA005)


def _saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@cache
def _pngs() -> list[bytes]:
    colour = Image.fromarray(_PIXELS)
    deep = Image.fromarray(_PIXELS[..., 0].astype(np.uint16) * 257)
    images = [
        colour,
        colour.convert("L"),
        colour.convert("P"),
        colour.convert("RGBA"),
        colour.convert("1"),
        deep,
    ]
    found = [_saved(image, "PNG") for image in images]
    return [*found, _saved(colour.convert("P"), "PNG", transparency=3), _saved(colour.convert("LA"), "PNG")]


@cache
def _others() -> list[bytes]:
    colour = Image.fromarray(_PIXELS)
    forms = {"BMP": {}, "GIF": {}, "TIFF": {}, "PPM": {}, "WEBP": {}, "AVIF": {}}
    found = []
    for form, options in forms.items():
        try:
            found.append(_saved(colour, form, **options))
        except (KeyError, OSError):
            continue  # this installation writes no such files
    found.append(_saved(colour, "TIFF", compression="tiff_lzw"))
    return found


@cache
def _jpegs() -> list[bytes]:
    colour = Image.fromarray(_PIXELS)
    return [
        _saved(colour, "JPEG"),
        _saved(colour.convert("L"), "JPEG", progressive=True),
        _saved(colour.convert("CMYK"), "JPEG"),
    ]


def make(rng: Random) -> bytes:
    """An image with a few changes."""
    kind = rng.randrange(10)
    if kind < 4:
        return _png(rng)
    if kind < 7:
        return _jpeg(rng)
    return mutated_bytes(rng, rng.choice(_others()))


def _png(rng: Random) -> bytes:
    content, chunks, at = rng.choice(_pngs()), [], 8
    while at < len(content):
        size = struct.unpack_from(">I", content, at)[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    for _ in range(rng.choice((1, 1, 2))):
        chunks = mutated_parts(rng, chunks, lambda chunk: _chunk(rng, chunk), lambda: _extra(rng))
    pieces = [content[:8]]
    for name, body in chunks:
        size = len(body) if rng.random() < 0.98 else number(rng)
        pieces += [struct.pack(">I", size), name, body, struct.pack(">I", zlib.crc32(name + body))]
    return b"".join(pieces)


def _chunk(rng: Random, chunk: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, body = chunk
    if name == b"IHDR" and len(body) == 13:
        body = bytearray(body)
        if rng.random() < 0.4:
            place = rng.choice((0, 4))
            struct.pack_into(">I", body, place, near(rng, struct.unpack_from(">I", body, place)[0]))
        else:
            body[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        return name, bytes(body)
    if name == b"IDAT" and rng.random() < 0.5:
        try:
            return name, zlib.compress(mutated_bytes(rng, zlib.decompress(body)))
        except zlib.error:
            pass
    return name, mutated_bytes(rng, body)


def _extra(rng: Random) -> tuple[bytes, bytes]:
    name = rng.choice(
        (
            b"tEXt",
            b"zTXt",
            b"iTXt",
            b"eXIf",
            b"tRNS",
            b"PLTE",
            b"gAMA",
            b"iCCP",
            b"pHYs",
            b"acTL",
            b"fcTL",
            b"IHDR",
        )
    )
    if name == b"eXIf":
        return name, _exif(rng)
    if name == b"zTXt":
        return name, b"key\0\0" + zlib.compress(bytes(rng.choice((10, 10**6))))
    return name, rng.choice((b"key\0value", rng.randbytes(8), b"", b"key\0\0\0\0\0" + rng.randbytes(9)))


def _jpeg(rng: Random) -> bytes:
    content = rng.choice(_jpegs())
    if rng.random() < 0.6:
        exif = b"Exif\0\0" + _exif(rng)
        content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
    return mutated_bytes(rng, content) if rng.random() < 0.6 else content


def _exif(rng: Random) -> bytes:
    order = rng.choice("<>")
    entries = []
    for _ in range(rng.choice((1, 2, 5))):
        tag = rng.choice((*_EXIF_TAGS, rng.getrandbits(16)))
        count, value = rng.choice((1, 0, 2, number(rng))), rng.choice((rng.randrange(10), number(rng)))
        entries.append(struct.pack(f"{order}HHII", tag, rng.choice((3, 3, *range(14), 255)), count, value))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    content = (
        mark
        + struct.pack(f"{order}IH", 8, len(entries))
        + b"".join(entries)
        + struct.pack(f"{order}I", rng.choice((0, 8)))
    )
    return mutated_bytes(rng, content) if rng.random() < 0.3 else content


def read(content: bytes) -> None:
    """The image as a network's input."""
    pixels = read_image(as_file(content, "image.png"), 3, None, [])
    if pixels.size < 2**20:
        prep.apply(_SETTINGS, pixels)
