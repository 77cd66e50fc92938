"""Small changes: of numbers, bytes, texts, JSON values and lists of parts."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    127,
    128,
    254,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**28,
    2**30,
)
EDGES = (2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
TEXTS = (
    *(
        "",
        "a",
        "\0",
        "\x1b[31m",
        "\u202e",
        "\ud800",
        "\n",
        "x" * 300,
        "nan",
        "../../etc/passwd",
        "é" * 9,
        "-1",
        "[bold]",
    ),
    *("normal", "exact", "paper", "cosine", "array", "image", "log_mel", "squash", "0.1.0", "1e5"),
)
ODD = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**64,
    10**40,
    -0.0,
    0.5,
    1e-300,
    1e300,
    [],
    {},
    [[]],
    [0],
    ["a"],
    "",
)


def number(rng: Random) -> int:
    """A word of 32 bits that lies at some edge, or anywhere."""
    kind = rng.randrange(8)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind < 6:
        return rng.choice(EDGES)
    return rng.getrandbits(32) if kind == 6 else rng.getrandbits(rng.randrange(1, 17))


def near(rng: Random, value: int) -> int:
    """The word, changed a little or altogether."""
    kind = rng.randrange(6)
    if kind < 2:
        return (value + rng.choice((-1, 1, -4, 4, 8, 16))) % 2**32
    if kind == 2:
        return value ^ 1 << rng.randrange(32)
    if kind == 3:
        return value * rng.choice((2, 3, 256)) % 2**32
    return number(rng)


def mutated_bytes(rng: Random, content: bytes) -> bytes:
    """One or two bytes, a word, a slice cut out, doubled or filled, or an end cut off."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind < 3 and at < len(data):
            data[at] = rng.choice((0, 1, 127, 128, 255, data[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
        elif kind < 5:
            width = rng.choice((2, 4, 8))
            data[at : at + width] = (number(rng) % 2 ** (8 * width)).to_bytes(
                width, rng.choice(("little", "big"))
            )
        elif kind == 5:
            del data[at : at + rng.choice((1, 2, 4, 16, 64))]
        elif kind == 6:
            data[at:at] = data[at : at + rng.choice((1, 4, 16, 64))]
        elif kind == 7:
            data[at : at + 8] = bytes([rng.randrange(256)]) * 8
        else:
            del data[at:]
    return bytes(data)


def mutated_text(rng: Random, text: str) -> str:
    """A text with something put in, cut out or in its place."""
    at, kind = rng.randrange(len(text) + 1), rng.randrange(5)
    if kind == 0:
        return text[:at] + rng.choice(TEXTS) + text[at:]
    if kind == 1:
        return text[:at] + text[at + rng.randrange(1, 4) :]
    if kind == 2:
        return text * rng.choice((2, 3))
    return rng.choice(TEXTS)


def odd(rng: Random) -> Any:
    """A JSON value that few expect."""
    return copy.deepcopy(rng.choice((*ODD, *TEXTS, number(rng), float(number(rng)), -number(rng))))


def mutated_json(rng: Random, value: Any) -> Any:
    """The value with one change somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        return _mutated_object(rng, value)
    if isinstance(value, list) and value and rng.random() < 0.8:
        return mutated_parts(rng, value, lambda item: mutated_json(rng, item), lambda: odd(rng))
    if isinstance(value, str) and rng.random() < 0.6:
        return mutated_text(rng, value)
    if isinstance(value, int | float) and rng.random() < 0.6:
        return rng.choice((value + 1, value - 1, -value, value * 2, value / 2, value * 1e10, number(rng)))
    return odd(rng)


def _mutated_object(rng: Random, value: dict) -> dict:
    value, key, kind = dict(value), rng.choice(sorted(value)), rng.randrange(10)
    if kind == 0:
        del value[key]
    elif kind == 1:
        value[rng.choice((*TEXTS, mutated_text(rng, key)))] = odd(rng)
    elif kind == 2:
        value[key] = copy.deepcopy(value[rng.choice(sorted(value))])
    else:
        value[key] = mutated_json(rng, value[key])
    return value


def mutated_parts(rng: Random, parts: list, change: Callable[[Any], Any], new: Callable[[], Any]) -> list:
    """The list with one part changed, dropped, doubled, moved or added."""
    parts, at, kind = list(parts), rng.randrange(len(parts)), rng.randrange(10)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(rng.randrange(len(parts) + 1), parts[at])
    elif kind == 2:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    elif kind == 3:
        parts.insert(at, new())
    elif kind == 4:
        del parts[at + 1 :]
    else:
        parts[at] = change(parts[at])
    return parts


def json_bytes(rng: Random, value: Any) -> bytes:
    """A JSON text of the value, seldom one that is not quite JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=rng.random() < 0.8)
    kind = rng.randrange(40)
    if kind == 0:
        depth = rng.choice((20, 40, 900, 5000))
        text = text[:-1] + ',"deep":' + "[" * depth + "]" * depth + text[-1:]
    elif kind == 1:
        text = text.replace("0", rng.choice(("NaN", "Infinity", "1e999", "9" * 5000, "01", "0x1")), 1)
    elif kind == 2:
        text = mutated_text(rng, text)
    elif kind == 3:
        return text.encode("utf-16", "surrogatepass")
    elif kind == 4:
        return mutated_bytes(rng, text.encode(errors="surrogatepass"))
    return text.encode(errors="surrogatepass")
